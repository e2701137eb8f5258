#!/bin/sh
# Runs inside git receive-pack, once for each ref that is pushed. The simulator says in the environment what the
# pusher may not do: SIMULATED_PROTECTED holds refs, one a line; SIMULATED_WORKFLOWS=refused means an App that lacks
# the permission to change workflow files.
ref=$1 new=$3
zero=0000000000000000000000000000000000000000

if printf '%s\n' "$SIMULATED_PROTECTED" | grep -qxF -- "$ref"; then
    echo "error: GH006: Protected branch update failed for $ref." >&2
    echo "error: Changes must be made through a pull request." >&2
    exit 1
fi
case $ref in
refs/heads/gh-readonly-queue/*)
    echo "error: GH006: Protected branch update failed for $ref." >&2
    exit 1
    ;;
esac
if [ "$SIMULATED_WORKFLOWS" = refused ] && [ "$new" != "$zero" ]; then
    file=$(git log --format= --name-only "$new" --not --all -- .github/workflows | sed -n 1p)
    if [ -n "$file" ]; then
        echo "refusing to allow a GitHub App to create or update workflow \`$file\` without \`workflows\` permission" >&2
        exit 1
    fi
fi
