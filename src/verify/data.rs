//! The numbers in the rows: a function of (kind, seed, operand) alone.

/// The kind of numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Small integers, -8 to 8: every sum is exact in any order, so every device must give the same bits.
    Integers,
    /// Normal-like numbers of varied magnitude.
    Reals,
    /// The special values, in varied combinations.
    Edges,
}

/// The special values. 1e-40 is subnormal.
pub(crate) const SPECIAL: [f32; 21] = [
    -1.0,
    -0.0,
    0.0,
    1.0,
    17.0,
    -17.0,
    30.0,
    -30.0,
    88.0,
    -88.0,
    104.0,
    -104.0,
    1e20,
    -1e20,
    1e-30,
    -1e-30,
    1e-40,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    -f32::NAN,
];

/// The special values that stay finite where a few of them are multiplied and added. The product of the two smallest is
/// a negative zero.
pub(crate) const TAME: [f32; 15] = [-1.0, -0.0, 0.0, 1.0, 17.0, -17.0, 30.0, -30.0, 88.0, -88.0, 104.0, -104.0, 1e-30, -1e-30, 1e18];

/// SplitMix64. It is only for the inputs, so it need not be good, only the same everywhere.
pub(crate) struct Source(u64);

impl Source {
    pub(crate) fn new(seed: u64, operand: u64) -> Source {
        let mut source = Source(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ operand.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        source.next();
        source
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }

    /// An integer in [-limit, limit].
    pub(crate) fn integer(&mut self, limit: u32) -> f32 {
        self.below(2 * limit as usize + 1) as f32 - limit as f32
    }

    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Bell-shaped around 0, times a power of two from 2^-5 to 2^2.
    pub(crate) fn real(&mut self) -> f32 {
        let bell = self.unit() + self.unit() + self.unit() + self.unit() - 2.0;
        bell * 2f32.powi(self.below(8) as i32 - 5)
    }
}

/// `n` numbers. `limit` bounds the integers, `special` are the edges.
pub(crate) fn numbers(kind: Kind, n: usize, seed: u64, operand: u64, limit: u32, special: &[f32]) -> Vec<f32> {
    let mut source = Source::new(seed, operand);
    // One operand steps through all edges, the others at other strides.
    let stride = [1, 3, 7, 11, 13][operand as usize % 5];
    (0..n)
        .map(|i| match kind {
            // The first is never 0, so that a result of one element is not trivial.
            Kind::Integers => match source.integer(limit) {
                0.0 if i == 0 => 1.0,
                x => x,
            },
            Kind::Reals => source.real(),
            Kind::Edges => special[(i * stride + i / special.len() + seed as usize) % special.len()],
        })
        .collect()
}
