#!/usr/bin/env bash
# What needs a GPU, in pieces of at most nine minutes, each complete in itself.
#
#     benches/gpu.sh PIECE..        PIECE: facts table lists sanitize parity steps train products peers wide probe
#
# Nothing is built here but the probe. What the pieces need beside the repository lies in one folder, GPU (.gpu):
#
#     narrows                       the built program
#     tests                         the library's test program, target/release/deps/narrows-*               lists
#     mnist/                        the four files of MNIST                                 parity, train, wide, peers
#     peers/                        torch_seed.py jax_seed.py gpu_gemm.py gpu_probe.cu      peers, wide, products, probe
#
# GPU, PYTHON (python3), DEVICES (every GPU that the program finds), ROUNDS (of peers, 3) and OUT (target/gpu) are
# variables. Each piece writes OUT/PIECE.log whole. The last lines are one short table of the pieces. What is absent is
# called absent, what the system does not permit is called not run. Exits with 1 if a piece found something.
set -u -o pipefail
gpu=${GPU:-.gpu} python=${PYTHON:-python3} out=${OUT:-target/gpu}
narrows=$gpu/narrows
mkdir -p "$out"
[ -x "$narrows" ] || { echo "absent: $narrows"; exit 2; }
devices=${DEVICES:-$("$narrows" devices 2>/dev/null | awk '$1 ~ /^(cuda|wgpu):/ && !/in software/ {print $1}')}

facts() (
    "$narrows" devices
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm,power.limit --format=csv,noheader || echo "absent: nvidia-smi"
    export CUDA_CACHE_PATH
    CUDA_CACHE_PATH=$(mktemp -d)
    for device in $devices; do
        # A cold start compiles the kernels, a warm one finds them in the driver's cache.
        for start in cold warm; do
            local from=$EPOCHREALTIME
            "$narrows" verify --device "$device" --op fill --quick >/dev/null 2>&1 || return 1
            awk -v d="$device" -v s=$start -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%s: open, %s, with a few rows: %.2f s\n", d, s, b - a }'
        done
    done
)

table() {
    local failed=0
    for device in $devices; do "$narrows" verify --device "$device" || failed=1; done
    return $failed
}

# Compiled lists against single ops, in graphs and groups.
lists() {
    [ -x "$gpu/tests" ] || { echo "absent: $gpu/tests"; return 0; }
    NARROWS_REQUIRE=cuda "$gpu/tests" --exact backend::cuda::tests::driver::a_gpu_has_the_bits_of_the_contract --nocapture
}

# The short table, and two steps of the article's network over random images.
sanitize() {
    command -v compute-sanitizer >/dev/null || { echo "absent: compute-sanitizer"; return 0; }
    [[ $devices == *cuda:0* ]] || { echo "absent: cuda:0"; return 0; }
    local failed=0 folder
    folder=$(mktemp -d)
    "$python" -c 'import numpy, sys; numpy.save(sys.argv[1], numpy.random.default_rng(0).integers(0, 256, (256, 28, 28), numpy.uint8))' "$folder/rows.npy"
    for tool in memcheck racecheck initcheck synccheck; do
        for what in table steps; do
            local log=$out/sanitize-$tool-$what.log command=(verify --device cuda:0 --quick)
            [ $what = table ] || command=(train -q --device cuda:0 --data "$folder/rows.npy" --layers 128,64,32 --epochs 1 --out "$folder/$tool")
            timeout 120 compute-sanitizer --tool $tool --error-exitcode 9 "$narrows" "${command[@]}" >"$log" 2>&1
            local code=$?
            if grep -q 'Device not supported\|not permitted' "$log"; then
                echo "$tool, $what: not run: the system does not permit it"
            else
                echo "$tool, $what: $(grep -h 'ERROR SUMMARY\|RACECHECK SUMMARY' "$log" || tail -1 "$log") (exit $code)"
                [ $code = 0 ] || failed=1
            fi
        done
    done
    rm -rf "$folder"
    return $failed
}

# Ten epochs on the CPU and on each GPU from one seed. CUDA promises the same bits.
parity() {
    local failed=0 folder cpu
    folder=$(mktemp -d)
    for device in cpu $devices; do
        "$narrows" train -q --device "$device" --data "$gpu/mnist" --epochs "${EPOCHS:-10}" --out "$folder/$device" --json >"$folder/$device.json" || failed=1
        sha256sum <"$folder/$device/model.safetensors" | cut -c1-16 >"$folder/$device.sha"
        "$python" - "$device" "$folder/$device.json" "$(cat "$folder/$device.sha")" <<'PY'
import json, sys
d = json.load(open(sys.argv[2]))
print(sys.argv[1], "weights", sys.argv[3], "losses", *(repr(e["train_loss"]) for e in d["epochs"][:3]))
PY
    done
    cpu=$(cat "$folder/cpu.sha")
    for device in $devices; do
        [[ $device != cuda* ]] || [ "$(cat "$folder/$device.sha")" = "$cpu" ] || { echo "$device: other bits than the CPU"; failed=1; }
    done
    rm -rf "$folder"
    return $failed
}

steps() {
    local failed=0
    for device in $devices; do
        for shape in 128x784x128x64x32 1000x784x1000x500x250x30 1024x784x4096x1024 16x64x32x8; do
            "$narrows" bench -q --device "$device" --op step --shape $shape --format csv || failed=1
        done
    done
    return $failed
}

# Our products beside cuBLAS. Each is compared with a naive f64 sum on the host, which takes minutes for larger ones.
products() {
    local failed=0
    for device in $devices; do
        for op in dense dense_dx dense_dw; do
            for shape in 1024x1024x1024 128x784x128 128x128x784 128x128x64; do
                "$narrows" bench -q --device "$device" --op $op --shape $shape --format csv | tail -1 || failed=1
            done
        done
    done
    [ -e "$gpu/peers/gpu_gemm.py" ] && { "$python" "$gpu/peers/gpu_gemm.py" || failed=1; } || echo "absent: cuBLAS"
    return $failed
}

narrows_training() {
    local folder
    folder=$(mktemp -d)
    "$narrows" train -q --json --device "$1" --data "$gpu/mnist" --epochs 5 --out "$folder/run" "${@:2}" |
        "$python" -c 'import json, sys; d = json.load(sys.stdin); print("narrows", sys.argv[1], *("%.1f" % (1e6 * e["seconds"] / e["steps"]) for e in d["epochs"]))' "$1" || return 1
    rm -rf "$folder"
}

peer() { "$python" "$gpu/peers/$1_seed.py" "$gpu/mnist" "${@:2}" 2>"$out/peer.log" | "$python" -c '
import json, sys
e = [json.loads(l) for l in sys.stdin if l.startswith("{")]
print(e[0]["peer"], *sys.argv[1:], *("%.1f" % (1e3 * x["ms_per_step"]) for x in e)) if e else sys.exit("no result: see peer.log")' "${@:2}"; }

# Microseconds per step, an epoch each, in turn.
train() {
    local failed=0
    for round in 1 2 3; do for device in $devices; do narrows_training "$device" || failed=1; done; done
    return $failed
}

peers() {
    [ -e "$gpu/peers/torch_seed.py" ] || { echo "absent: the peers"; return 0; }
    local failed=0
    for round in $(seq "${ROUNDS:-3}"); do
        for device in $devices; do narrows_training "$device" || failed=1; done
        for mode in eager fused compile graph compile-graph; do peer torch --device cuda --mode $mode || failed=1; done
        for mode in step scan; do peer jax --mode $mode || failed=1; done
    done
    return $failed
}

# A network of wider layers, beside the peers.
wide() {
    local failed=0 widths=784,1000,500,250,30,250,500,1000,784
    for round in 1 2; do
        for device in $devices; do narrows_training "$device" --layers 1000,500,250,30 --batch-size 1000 || failed=1; done
        [ -e "$gpu/peers/torch_seed.py" ] || continue
        peer torch --device cuda --mode graph --batch 1000 --widths $widths || failed=1
        peer jax --mode scan --batch 1000 --widths $widths || failed=1
    done
    return $failed
}

probe() {
    command -v nvcc >/dev/null && [ -e "$gpu/peers/gpu_probe.cu" ] || { echo "absent: nvcc or gpu_probe.cu"; return 0; }
    nvcc -O3 -std=c++17 -arch=native "$gpu/peers/gpu_probe.cu" -o "$out/gpu_probe" && "$out/gpu_probe"
    local code=$?
    rm -f "$out/gpu_probe"
    return $code
}

failed=0 summary=""
[ -n "$devices" ] || { echo "no GPU is here"; "$narrows" devices; exit 1; }
for piece in "$@"; do
    case $piece in facts | table | lists | sanitize | parity | steps | train | products | peers | wide | probe) ;; *) echo "no piece named $piece"; exit 2 ;; esac
    printf '\n## %s\n' "$piece"
    from=$SECONDS
    $piece 2>&1 | tee "$out/$piece.log"
    code=${PIPESTATUS[0]}
    [ $code = 0 ] || failed=1
    summary+=$(printf '%-10s exit %d, %d s' "$piece" $code $((SECONDS - from)))$'\n'
done
printf '\n## pieces\n%s' "$summary"
exit $failed
