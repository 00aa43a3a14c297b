//! Random numbers from a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
//! 2, 3", SC 2011).
//!
//! A number is a function of (seed, purpose, step, position) and nothing else, so any thread on any device can draw it.
//! The key is (seed low word, seed high word), the counter is (block, step, purpose, 0); a block is four numbers.

/// The purposes that keep the streams of one seed apart.
pub(crate) mod purpose {
    /// The order of the rows; the step is the epoch.
    pub(crate) const SHUFFLE: u32 = 1;
    /// Initial values: this plus the number of the parameter.
    pub(crate) const INITIAL: u32 = 1 << 16;
    /// Noise of a training: this plus the number of the stream within a pass.
    pub(crate) const NOISE: u32 = 1 << 24;
    /// Noise that a trained network is tried with, and codes that are drawn: this plus a number of [`drawn`].
    pub(crate) const IN_USE: u32 = 1 << 25;
    /// Mixtures of codes: step 0 fits them, step 1 draws from them.
    pub(crate) const MIXTURE: u32 = 1 << 26;
    /// Noise that rows are tried with to score them.
    pub(crate) const SENSITIVITY: u32 = (1 << 26) + 1;
}

/// Ten rounds of Philox4x32: four words of counter and two of key become four random words.
#[inline]
pub(crate) fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(c0) * 0xD251_1F53;
        let p1 = u64::from(c2) * 0xCD9E_8D57;
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    [c0, c1, c2, c3]
}

/// A stream of random numbers, one of 2^64 seeds times 2^32 purposes times 2^32 steps.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 2],
    step: u32,
    purpose: u32,
    block: u32,
    words: [u32; 4],
    used: usize,
}

impl Rng {
    /// The stream of `seed` and `purpose` at step 0.
    #[cfg(test)]
    pub fn new(seed: u64, purpose: u32) -> Rng {
        Rng::at_step(seed, purpose, 0)
    }

    /// The stream of `seed`, `purpose` and `step`. Different steps share no numbers.
    pub fn at_step(seed: u64, purpose: u32, step: u32) -> Rng {
        Rng { key: [seed as u32, (seed >> 32) as u32], step, purpose, block: 0, words: [0; 4], used: 4 }
    }

    /// 32 random bits. A stream repeats after 2^34 numbers.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox4x32_10([self.block, self.step, self.purpose, 0], self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A multiple of 2^-24 in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// A standard normal number (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - f64::from(self.uniform()), f64::from(self.uniform()));
        (-2.0 * libm::log(u)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * v)
    }

    /// An integer in 0 .. n, every one equally likely; 0 for n = 0. (Lemire, "Fast random integer generation in an
    /// interval", 2019.)
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        // 2^32 mod n products fall short of a full round of n and are drawn again.
        let short = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(n);
            if product as u32 >= short {
                return (product >> 32) as u32;
            }
        }
    }

    /// Puts `items` into a random order (Fisher and Yates, from the last item down), every order equally likely.
    pub fn shuffle(&mut self, items: &mut [u32]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }
}

/// 0 .. n in the random order that belongs to (`seed`, `purpose`, `step`).
pub(crate) fn permutation(n: u32, seed: u64, purpose: u32, step: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    Rng::at_step(seed, purpose, step).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kat_vectors` of the Random123 distribution, the three lines of philox4x32 10.
    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        let known = [
            ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
            ([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]),
        ];
        for (counter, key, answer) in known {
            assert_eq!(philox4x32_10(counter, key), answer, "counter {counter:x?}, key {key:x?}");
        }
    }

    #[test]
    fn a_stream_is_philox_of_block_step_purpose_under_the_seed() {
        let (seed, purpose, step) = (0x0123_4567_89ab_cdef, 7, 9);
        let mut rng = Rng::at_step(seed, purpose, step);
        for block in 0..3 {
            for word in philox4x32_10([block, step, purpose, 0], [0x89ab_cdef, 0x0123_4567]) {
                assert_eq!(rng.next_u32(), word);
            }
        }
    }

    #[test]
    fn uniform_is_the_upper_24_bits_and_stays_below_one() {
        let (mut bits, mut rng) = (Rng::new(1, 2), Rng::new(1, 2));
        let mut sum = 0.0f64;
        for _ in 0..100_000 {
            let u = rng.uniform();
            assert_eq!(u, (bits.next_u32() >> 8) as f32 * 2f32.powi(-24));
            assert!((0.0..1.0).contains(&u));
            sum += f64::from(u);
        }
        // The standard deviation of this mean is 0.0009.
        assert!((sum / 1e5 - 0.5).abs() < 0.005, "{sum}");
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut rng = Rng::new(3, 0);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        let mut count = [0u32; 6];
        for _ in 0..60_000 {
            count[rng.below(6) as usize] += 1;
        }
        // Six times the standard deviation of 91.
        assert!(count.iter().all(|&c| c.abs_diff(10_000) < 550), "{count:?}");
        // Without the second draw, two thirds of 2^32 would give 0 .. 2^31 twice as often: a mean of 5/12 in place of
        // 1/2.
        let n = 3u32 << 30;
        let mean = (0..20_000).map(|_| f64::from(rng.below(n)) / f64::from(n)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        let low = (0..20_000).filter(|_| rng.below(n).is_multiple_of(3)).count();
        assert!(low.abs_diff(6_667) < 400, "{low} of 20,000 are multiples of 3");
    }

    #[test]
    fn a_permutation_holds_every_number_once_and_depends_on_every_argument() {
        let base = permutation(1000, 5, 1, 0);
        let mut sorted = base.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_eq!(base, permutation(1000, 5, 1, 0));
        for other in
            [permutation(1000, 6, 1, 0), permutation(1000, 5 + (1 << 32), 1, 0), permutation(1000, 5, 2, 0), permutation(1000, 5, 1, 1)]
        {
            assert_ne!(base, other);
        }
        assert!(permutation(0, 0, 0, 0).is_empty());
        assert_eq!(permutation(1, 0, 0, 0), [0]);
    }

    #[test]
    fn all_orders_of_four_are_equally_likely() {
        let mut count = std::collections::BTreeMap::new();
        for step in 0..24_000 {
            *count.entry(permutation(4, 0, 0, step)).or_insert(0u32) += 1;
        }
        assert_eq!(count.len(), 24);
        assert!(count.values().all(|&c| c.abs_diff(1000) < 190), "{count:?}");
    }
}
