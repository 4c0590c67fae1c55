#!/usr/bin/env bash
# Measures GATE_COMMAND and compares it; the CI systems' own steps are thin around this.
#
# In:  GATE_COMMAND, GATE_MODE (ab|baseline), GATE_BASE, GATE_SETUP, GATE_BASELINE, GATE_RUNS, GATE_WARMUP,
#      GATE_METRIC, GATE_MAX_REGRESSION, GATE_ARGUMENTS (more flags), GATE_TOO_NOISY (fail|warn),
#      GATE_REPORTS (a folder), GATE_ANNOTATE (github or nothing)
# Out: reports in GATE_REPORTS; the exit code of `wattribute gate`
set -uo pipefail

: "${GATE_COMMAND:?energy-gate: set GATE_COMMAND to what is to be measured}"
folder=${GATE_REPORTS:-energy-gate}
mkdir -p "$folder" || exit 2
rm -f "$folder"/energy*

flags=(
    --metric "${GATE_METRIC:-cpu_s}" --max-regression "${GATE_MAX_REGRESSION:-5%}"
    --report "json=$folder/energy.json" --report "markdown=$folder/energy.md"
    --report "junit=$folder/energy.xml" --report "sarif=$folder/energy.sarif"
    --report "benchmark=$folder/energy-benchmark.json" --report "openmetrics=$folder/energy.prom"
    --report "gitlab=$folder/energy-codequality.json" --report "github=$folder/energy-annotations.txt"
)
read -ra more <<<"${GATE_ARGUMENTS:-}"
times=(--runs "${GATE_RUNS:-7}" --warmup "${GATE_WARMUP:-1}")
name=(--name "$GATE_COMMAND")

case ${GATE_MODE:-ab} in
ab)
    [[ ${GATE_BASE:-} =~ [^0] ]] || { # a new branch has no commit before: git says 000...
        echo "energy-gate: no base revision; set it, or use the mode baseline" >&2
        exit 2
    }
    setup=()
    [[ -n ${GATE_SETUP:-} ]] && setup=(--setup "$GATE_SETUP")
    wattribute gate ab --base "$GATE_BASE" "${setup[@]}" "${times[@]}" "${name[@]}" "${flags[@]}" \
        "${more[@]}" -- bash -c "$GATE_COMMAND"
    code=$?
    ;;
baseline)
    results=$folder/energy-results.json
    wattribute gate run "${times[@]}" "${name[@]}" --results "$results" -- bash -c "$GATE_COMMAND"
    code=$?
    if ((code == 0)); then
        wattribute gate check --results "$results" --baseline "${GATE_BASELINE:-.energy-baseline.json}" \
            "${flags[@]}" "${more[@]}"
        code=$?
    fi
    ;;
*)
    echo "energy-gate: GATE_MODE is '$GATE_MODE'; it must be ab or baseline" >&2
    exit 2
    ;;
esac

[[ ${GATE_ANNOTATE:-} == github && -f $folder/energy-annotations.txt ]] && cat "$folder/energy-annotations.txt"
[[ -n ${GITHUB_STEP_SUMMARY:-} && -f $folder/energy.md ]] && cat "$folder/energy.md" >>"$GITHUB_STEP_SUMMARY"
if [[ -n ${GITHUB_OUTPUT:-} ]]; then
    verdict=
    case $code in 0) verdict=pass ;; 1) verdict=regression ;; 3) verdict="too noisy" ;; 4) verdict="not comparable" ;; esac
    printf 'verdict=%s\nexit-code=%s\nfolder=%s\n' "$verdict" "$code" "$folder" >>"$GITHUB_OUTPUT"
fi
if ((code == 3)) && [[ ${GATE_TOO_NOISY:-fail} == warn ]]; then
    echo "energy-gate: too noisy to tell; GATE_TOO_NOISY=warn lets the job pass" >&2
    exit 0
fi
exit $code
