#!/usr/bin/env bash
# Writes the gate's Markdown into one comment of a pull request, and edits that one the next time.
#
# In: GATE_REPORTS (folder with energy.md), GATE_PULL_REQUEST (its number), GITHUB_REPOSITORY, GH_TOKEN; needs gh
set -euo pipefail

body=$GATE_REPORTS/energy.md
[[ -f $body ]] || { echo "github-comment: nothing was measured; no comment" && exit 0; }
marker=$(head -n 1 "$body") # an HTML comment that nobody sees
issue=repos/$GITHUB_REPOSITORY/issues
export marker
old=$(gh api --paginate "$issue/$GATE_PULL_REQUEST/comments" \
    --jq '.[] | select(.body | startswith(env.marker)) | .id' | head -n 1)
if [[ -n $old ]]; then
    gh api --method PATCH "$issue/comments/$old" --field "body=@$body" --silent
    echo "github-comment: updated $old"
else
    gh api --method POST "$issue/$GATE_PULL_REQUEST/comments" --field "body=@$body" --silent
    echo "github-comment: written"
fi
