// normal: y = fma(z, std, mean), z normal by Box and Muller from pairs of words of 24 bits: the first gives the
// distance from the origin, the second the angle; the first element is the cosine, the second the sine. Some 25
// operations an element, and those of Philox. (`std` is a reserved word of WGSL.)

struct Params {
    clock_at: u32,
    y_at: u32,
    n: u32,
    // The number of the first element in the whole tensor, of which this launch may be a piece.
    first: u32,
    mean: f32,
    deviation: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn pair(length: u32, turn: u32) -> vec2<f32> {
    let r = sqrt(-2.0 * logarithm(f32(length + 1u) * 0x1p-24f));
    // The nearest quarter of a turn, and what is left of it: at most half a quarter either way.
    let quarter = (turn + 0x200000u) >> 22u;
    let t = f32(i32(turn) - i32(quarter << 22u)) * 0x1p-22f;
    let w = t * t;
    var s = -0x1.33198cp-8f;
    s = fma(s, w, 0x1.4680a4p-4f);
    s = fma(s, w, -0x1.4abc24p-1f);
    s = fma(s, w, 0x1.921fb6p+0f);
    s = s * t;
    var c = 0x1.d4f7eep-11f;
    c = fma(c, w, -0x1.55b2b6p-6f);
    c = fma(c, w, 0x1.03c1b0p-2f);
    c = fma(c, w, -0x1.3bd3ccp+0f);
    c = fma(c, w, 1.0);
    let odd = (quarter & 1u) == 1u;
    let a = select(c, s, odd);
    let b = select(s, c, odd);
    return r * vec2<f32>(select(a, -a, ((quarter + 1u) & 2u) == 2u), select(b, -b, (quarter & 2u) == 2u));
}

fn four(i: u32, words: vec4<u32>) {
    let z = vec4<f32>(pair(words.x, words.y), pair(words.z, words.w));
    let values = fma(z, vec4<f32>(u.deviation), vec4<f32>(u.mean));
    for (var j = 0u; j < 4u; j++) {
        if (i + j < u.n) {
            y[u.y_at + i + j] = values[j];
        }
    }
}
