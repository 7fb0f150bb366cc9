#!/usr/bin/env bash
# The step of the action: makes a rollout and ends with its verdict (docs/guide/cli.md, exit codes). Inputs come as DEPLOY_…
# from action.yml. A step that is repeated in the same run attempt finds the rollout that it made.
set -euo pipefail

: "${DEPLOY_MODEL:?the input model is empty: write name@version}"
: "${DEPLOY_HOSTS:?the input hosts is empty: write a label selector such as gpu=true}"

arguments=(deploy --hosts "$DEPLOY_HOSTS" --wait --progress plain --annotations)

# Inputs that are left out are empty.
option() {
  if [ -n "$2" ]; then arguments+=("$1" "$2"); fi
}
option --threshold "${DEPLOY_THRESHOLD-}"
option --canary "${DEPLOY_CANARY-}"
option --batch "${DEPLOY_BATCH-}"
option --deadline "${DEPLOY_DEADLINE-}"
option --timeout "${DEPLOY_TIMEOUT-}"
option --until "${DEPLOY_UNTIL-}"
option --on-failure "${DEPLOY_ON_FAILURE-}"
option --offline "${DEPLOY_OFFLINE-}"
option --junit "${DEPLOY_JUNIT-}"
option --summary "${GITHUB_STEP_SUMMARY-}"
option --outputs "${GITHUB_OUTPUT-}"

exec "${DEPLOY_CLI:-haulier}" "${arguments[@]}" -- "$DEPLOY_MODEL"
