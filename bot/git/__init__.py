"""Git as the service uses it: its own bare mirrors, never a folder that an agent could have written.

Every git process gets an environment and a configuration of ours alone (`command`). What an agent made comes in as a
bundle and is looked at before it counts (`bundle`); commits, merges and rebases are made without a work tree (`commit`,
`rebase`); agents get checkouts that point nowhere (`checkout`). Names of branches are made and checked in one place
(`names`).
"""
