#!/usr/bin/env bash
# Everything that needs a GPU, in one run: the table on every device, the sanitizers, and the timings, ours and, if
# present, those of the peers.
#
#     benches/gpu.sh NARROWS [MNIST [PEERS [PYTHON]]]
#
# NARROWS is the built program, MNIST the folder with the four files, PEERS a folder with torch_seed.py and
# jax_seed.py. Nothing is built here. Whatever is absent is reported as absent. Exits with 1 if the table or a sanitizer
# found something.
set -u
narrows=${1:?"the path of the built narrows"} mnist=${2:-} peers=${3:-} python=${4:-python3}
failed=0
section() { printf '\n## %s (%ss)\n' "$1" "$SECONDS"; }

section "devices"
"$narrows" devices
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm --format=csv,noheader 2>/dev/null || echo "absent: nvidia-smi"
devices=$("$narrows" devices | awk '$1 ~ /^(cuda|wgpu):/ && !/in software/ {print $1}')
[ -n "$devices" ] || { echo "no GPU is here"; exit 1; }

section "the table"
for device in $devices; do
    "$narrows" verify --device "$device" || failed=1
done

section "sanitizers, over the short table"
if command -v compute-sanitizer >/dev/null && [[ $devices == *cuda:0* ]]; then
    for tool in memcheck racecheck initcheck synccheck; do
        printf '%s: ' "$tool"
        compute-sanitizer --tool "$tool" --error-exitcode 9 "$narrows" verify --device cuda:0 --quick >sanitizer.log 2>&1 || failed=1
        grep -h 'ERROR SUMMARY\|RACECHECK SUMMARY' sanitizer.log || tail -3 sanitizer.log
    done
    rm -f sanitizer.log
else
    echo "absent: compute-sanitizer, or a GPU that cuda knows"
fi

section "ops and steps"
for device in $devices; do
    "$narrows" bench -q --device "$device" || failed=1
    for shape in 1000x784x1000x500x250x30 1024x784x4096x1024; do
        "$narrows" bench -q --device "$device" --op step --shape "$shape" | tail -1
    done
done

if [ -n "$mnist" ]; then
    section "training on MNIST, ms per step of each epoch, in turn"
    for round in 1 2 3; do
        for device in $devices; do
            folder=$(mktemp -d)
            "$narrows" train -q --json --device "$device" --data "$mnist" --epochs 5 --out "$folder/run" |
                "$python" -c 'import json, sys; d = json.load(sys.stdin); print("narrows", d["device"], *("%.4f" % (1e3 * e["seconds"] / e["steps"]) for e in d["epochs"]))'
            rm -rf "$folder"
        done
        if [ -n "$peers" ]; then
            for mode in eager fused compile graph compile-graph; do
                printf 'torch %s: ' "$mode"
                "$python" "$peers/torch_seed.py" "$mnist" --device cuda --mode "$mode" 2>&1 | tail -2 | tr '\n' ' '; echo
            done
            for mode in step scan; do
                printf 'jax %s: ' "$mode"
                "$python" "$peers/jax_seed.py" "$mnist" --mode "$mode" 2>&1 | tail -2 | tr '\n' ' '; echo
            done
        fi
    done
fi
exit $failed
