//! The built-in data set: 28 x 28 handwriting-like digits that need no file and no network.
//!
//! An image is a function of (seed, index) alone. The points of a form in `strokes.rs` are jittered, bent, slanted,
//! turned and scaled, a smooth curve is laid through them, and a round pen of varying width is drawn along it. As in
//! MNIST, the digit fills a box of 20 pixels and its centre of mass lies near the centre of the image.
//!
//! Only `+ - * /`, `sqrt`, `floor` and comparisons are used: IEEE 754 defines their results, so every platform draws
//! the same bytes.

use super::dataset::{Dataset, Split};
use super::strokes::{FORMS, Stroke};
use super::values::Values;
use crate::rng::{Rng, permutation};
use rayon::prelude::*;
use std::ops::Range;

const SIDE: usize = 28;
const TRAIN: u32 = 20_000;
const TEST: u32 = 4_000;

/// Streams of random numbers: the order of the classes, and the pen.
const CLASSES: u32 = 0x6469_0001;
const PEN: u32 = 0x6469_0002;

/// The built-in digits of seed 0: images 0 .. 20,000 to train on, images 20,000 .. 24,000 to test on.
pub fn builtin() -> Split {
    Split::new(digits(0, 0..TRAIN).named("builtin (train)"), digits(0, TRAIN..TRAIN + TEST).named("builtin (test)"))
}

/// The synthetic digits `range` of `seed`, 28 x 28 bytes each, with labels. Every ten images from a multiple of ten
/// hold each class once.
pub fn digits(seed: u64, range: Range<u32>) -> Dataset {
    let labels: Vec<u8> = range.clone().into_par_iter().map(|index| class(seed, index)).collect();
    let mut pixels = vec![0u8; labels.len() * SIDE * SIDE];
    pixels.par_chunks_mut(SIDE * SIDE).zip(labels.par_iter()).enumerate().for_each(|(i, (image, &label))| {
        draw(image, label, Rng::at_step(seed, PEN, range.start + i as u32));
    });
    Dataset::trusted("digits", Values::Bytes(pixels), &[1, SIDE, SIDE], Some(labels)).synthetic()
}

/// The class of image `index`.
fn class(seed: u64, index: u32) -> u8 {
    permutation(10, seed, CLASSES, index / 10)[(index % 10) as usize] as u8
}

/// A place on the paper.
#[derive(Clone, Copy)]
struct Point {
    x: f32,
    y: f32,
}

/// A sum of three uniforms: mean 0, variance 1, never beyond 3; it needs no logarithm.
fn bell(rng: &mut Rng) -> f32 {
    (rng.uniform() + rng.uniform() + rng.uniform() - 1.5) * 2.0
}

fn between(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.uniform()
}

/// Draws one image of the class `label` into 28 x 28 bytes.
fn draw(image: &mut [u8], label: u8, mut rng: Rng) {
    let hand = Hand::new(&mut rng, label);
    let lines: Vec<Vec<Point>> = form(label, &mut rng).iter().map(|stroke| curve(&shaken(stroke, &mut rng, &hand), &hand)).collect();
    let pen = Pen::new(&mut rng);
    let lines = placed(lines, &pen, &mut rng);
    let mut distance = [f32::MAX; SIDE * SIDE];
    for line in &lines {
        pen.follow(line, &mut distance);
    }
    for (byte, &d) in image.iter_mut().zip(&distance) {
        let ink = (0.5 - d / pen.softness).clamp(0.0, 1.0) * pen.darkness;
        *byte = (ink * 255.0 + 0.5).floor() as u8;
    }
}

/// One of the forms of a digit, by its share.
fn form(label: u8, rng: &mut Rng) -> &'static [Stroke] {
    let forms = FORMS[usize::from(label)];
    let mut lot = rng.below(100);
    for form in forms {
        if lot < form.share {
            return form.strokes;
        }
        lot -= form.share;
    }
    forms[0].strokes
}

/// How this writer deforms the forms taught at school.
struct Hand {
    shake: f32,
    bend: [f32; 7],
    width: f32,
    slant: f32,
    turn: f32,
}

impl Hand {
    fn new(rng: &mut Rng, label: u8) -> Hand {
        let shake = between(rng, 0.005, 0.045);
        // In a ring, bending shows as corners.
        let most = if label == 0 { 0.08 } else { 0.16 };
        let mut bend = [0.0; 7];
        for b in &mut bend {
            *b = most * bell(rng);
        }
        let width = if label == 0 { between(rng, 0.8, 1.5) } else { between(rng, 0.7, 1.55) };
        // A 1 leans from upright to nearly lying; the others lean less.
        let slant = if label == 1 { 0.3 + 0.3 * bell(rng) } else { 0.15 + 0.25 * bell(rng) };
        Hand { shake, bend, width, slant, turn: 0.07 * bell(rng) }
    }

    /// Bends (polynomials of degree 2 and 3), widens, slants and turns.
    fn moved(&self, p: Point) -> Point {
        let (x, y) = (p.x - 0.33, p.y - 0.5);
        let b = &self.bend;
        let u = x + b[0] * (2.0 * y * y) + b[1] * (3.0 * x * y) + b[2] * (3.0 * y * y * y);
        let v = y + b[3] * (2.0 * x * x) + b[4] * (1.5 * x * y) + b[5] * (1.5 * y * y) + b[6] * (2.0 * x * x * x);
        let u = u * self.width - self.slant * v;
        // The half-angle form of cosine and sine.
        let t = self.turn;
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        Point { x: cos * u - sin * v, y: sin * u + cos * v }
    }
}

/// The points of a stroke in units of the digit's height, each moved a little; a corner stays a corner.
fn shaken(stroke: Stroke, rng: &mut Rng, hand: &Hand) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(stroke.len());
    let drift = Point { x: hand.shake * bell(rng), y: hand.shake * bell(rng) };
    for (i, &(x, y)) in stroke.iter().enumerate() {
        if i > 0 && stroke[i - 1] == (x, y) {
            points.push(points[i - 1]);
            continue;
        }
        points.push(Point {
            x: f32::from(x) / 100.0 + drift.x + hand.shake * bell(rng),
            y: f32::from(y) / 100.0 + drift.y + hand.shake * bell(rng),
        });
    }
    points
}

/// A Catmull-Rom curve through the points, as a chain of short lines, moved by the hand.
fn curve(points: &[Point], hand: &Hand) -> Vec<Point> {
    const PIECES: usize = 6;
    let at = |i: usize| points[i.min(points.len() - 1)];
    let mut line = vec![hand.moved(points[0])];
    for i in 0..points.len() - 1 {
        let (a, b, c, d) = (at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2));
        if b.x == c.x && b.y == c.y {
            continue;
        }
        for k in 1..=PIECES {
            let t = k as f32 / PIECES as f32;
            let mix = |a: f32, b: f32, c: f32, d: f32| {
                b + 0.5 * t * ((c - a) + t * ((2.0 * a - 5.0 * b + 4.0 * c - d) + t * (3.0 * (b - c) + d - a)))
            };
            line.push(hand.moved(Point { x: mix(a.x, b.x, c.x, d.x), y: mix(a.y, b.y, c.y, d.y) }));
        }
    }
    line
}

/// The drawn line, in pixels.
struct Pen {
    radius: f32,
    /// How the radius grows and shrinks along a stroke: a polynomial of the position from 0 to 1.
    swell: [f32; 3],
    softness: f32,
    darkness: f32,
}

impl Pen {
    fn new(rng: &mut Rng) -> Pen {
        let radius = between(rng, 0.8, 1.75) + 0.12 * bell(rng);
        let swell = [0.12 * bell(rng), 0.12 * bell(rng), 0.12 * bell(rng)];
        let darkness = 1.0 - 0.06 * rng.uniform() * rng.uniform();
        Pen { radius, swell, softness: between(rng, 0.7, 1.3), darkness }
    }

    fn radius_at(&self, way: f32) -> f32 {
        let s = 2.0 * way - 1.0;
        let [a, b, c] = self.swell;
        (self.radius * (1.0 + a * s + b * (2.0 * s * s - 1.0) + c * s * (4.0 * s * s - 3.0))).max(0.5)
    }

    /// Lowers `distance` (from a pixel's centre to the edge of the ink, negative inside) along a line.
    fn follow(&self, line: &[Point], distance: &mut [f32; SIDE * SIDE]) {
        let steps = (line.len() - 1).max(1) as f32;
        for (i, pair) in line.windows(2).enumerate() {
            let (a, b) = (pair[0], pair[1]);
            let radius = self.radius_at((i as f32 + 0.5) / steps);
            let reach = radius + 0.5 * self.softness;
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            let length2 = dx * dx + dy * dy;
            let scale = if length2 > 0.0 { 1.0 / length2 } else { 0.0 };
            let (columns, rows) = (pixels(a.x, b.x, reach), pixels(a.y, b.y, reach));
            for row in rows {
                let py = row as f32 + 0.5 - a.y;
                for column in columns.clone() {
                    let px = column as f32 + 0.5 - a.x;
                    let t = ((px * dx + py * dy) * scale).clamp(0.0, 1.0);
                    let (ex, ey) = (px - t * dx, py - t * dy);
                    let d = (ex * ex + ey * ey).sqrt() - radius;
                    let cell = &mut distance[row * SIDE + column];
                    *cell = cell.min(d);
                }
            }
        }
    }
}

/// The pixels whose centres may lie within `reach` of the span from `a` to `b`.
fn pixels(a: f32, b: f32, reach: f32) -> Range<usize> {
    let low = (a.min(b) - reach - 0.5).floor().clamp(0.0, SIDE as f32);
    let high = (a.max(b) + reach + 0.5).floor().clamp(0.0, SIDE as f32);
    low as usize..high as usize
}

/// Scales the digit so that its longer side, ink included, takes about 20 pixels, and puts its centre of mass near the
/// middle.
fn placed(mut lines: Vec<Vec<Point>>, pen: &Pen, rng: &mut Rng) -> Vec<Vec<Point>> {
    let (mut low, mut high) = (Point { x: f32::MAX, y: f32::MAX }, Point { x: f32::MIN, y: f32::MIN });
    for p in lines.iter().flatten() {
        low = Point { x: low.x.min(p.x), y: low.y.min(p.y) };
        high = Point { x: high.x.max(p.x), y: high.y.max(p.y) };
    }
    let longer = (high.x - low.x).max(high.y - low.y).max(1e-3);
    let scale = (between(rng, 18.6, 20.2) - 2.0 * pen.radius) / longer;
    // The centre of mass of the line, each piece weighted with its length.
    let (mut mass, mut sum) = (1e-6f32, Point { x: 0.0, y: 0.0 });
    for pair in lines.iter().flat_map(|line| line.windows(2)) {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        let length = (dx * dx + dy * dy).sqrt();
        mass += length;
        sum = Point { x: sum.x + length * (pair[0].x + 0.5 * dx), y: sum.y + length * (pair[0].y + 0.5 * dy) };
    }
    let centre = Point { x: sum.x / mass, y: sum.y / mass };
    let middle = SIDE as f32 / 2.0;
    let edge = pen.radius + 0.5;
    let shift = |centre: f32, low: f32, high: f32, jitter: f32| {
        let wanted = middle + jitter - scale * centre;
        wanted.max(edge - scale * low).min(SIDE as f32 - edge - scale * high)
    };
    let jitter = (0.5 * bell(rng), 0.5 * bell(rng));
    let (x, y) = (shift(centre.x, low.x, high.x, jitter.0), shift(centre.y, low.y, high.y, jitter.1));
    for p in lines.iter_mut().flatten() {
        *p = Point { x: scale * p.x + x, y: scale * p.y + y };
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn bytes(digits: &Dataset) -> &[u8] {
        match digits.values() {
            Values::Bytes(v) => v,
            _ => panic!("digits are bytes"),
        }
    }

    /// The mean square distance of an image from its best copy in the space of `k` principal components of `images` (in
    /// units of 255, summed over pixels): the total variance less the k largest eigenvalues, found by block power
    /// iteration.
    fn pca_error(images: &Dataset, k: usize) -> f64 {
        let (n, d) = (images.len(), images.columns());
        let mut x: Vec<f64> = images.rows_f32(0..n).into_iter().map(f64::from).collect();
        let mean: Vec<f64> = (0..d).map(|j| (0..n).map(|i| x[i * d + j]).sum::<f64>() / n as f64).collect();
        x.chunks_mut(d).for_each(|row| row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m));
        let mut covariance = vec![0.0; d * d];
        covariance.par_chunks_mut(d).enumerate().for_each(|(a, sums)| {
            for row in x.chunks(d) {
                let scale = row[a] / n as f64;
                sums.iter_mut().zip(row).for_each(|(s, v)| *s += scale * v);
            }
        });
        let mut rng = Rng::new(1, 1);
        let mut basis: Vec<Vec<f64>> = (0..k).map(|_| (0..d).map(|_| f64::from(rng.uniform()) - 0.5).collect()).collect();
        let mut kept = 0.0;
        for _ in 0..20 {
            let mut next: Vec<Vec<f64>> = basis
                .par_iter()
                .map(|v| (0..d).map(|a| covariance[a * d..(a + 1) * d].iter().zip(v).map(|(c, v)| c * v).sum()).collect())
                .collect();
            kept = 0.0;
            for i in 0..k {
                let (done, rest) = next.split_at_mut(i);
                for u in done.iter() {
                    let dot: f64 = u.iter().zip(&rest[0]).map(|(u, v)| u * v).sum();
                    rest[0].iter_mut().zip(u).for_each(|(v, u)| *v -= dot * u);
                }
                let norm = rest[0].iter().map(|v| v * v).sum::<f64>().sqrt();
                rest[0].iter_mut().for_each(|v| *v /= norm);
                kept += norm;
            }
            basis = next;
        }
        (0..d).map(|a| covariance[a * d + a]).sum::<f64>() - kept
    }

    /// Fails when a platform or a code change draws other bytes; then every number measured on them is void.
    #[test]
    fn the_first_hundred_images_are_the_pinned_bytes() {
        let first = digits(0, 0..100);
        let mut hash = Sha256::new();
        hash.update(bytes(&first));
        hash.update(first.labels().unwrap());
        let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "ac309faa53a1ee4d2b96571d2d84d2ad660a70ddeb8acb05eaf1f5f11c756c45");
    }

    #[test]
    fn an_image_depends_on_seed_and_index_alone() {
        let all = digits(3, 0..200);
        let part = digits(3, 57..63);
        assert_eq!(bytes(&part), &bytes(&all)[57 * 784..63 * 784]);
        assert_eq!(part.labels().unwrap(), &all.labels().unwrap()[57..63]);
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(bytes(&one_thread.install(|| digits(3, 0..200))), bytes(&all));
        let other = digits(4, 0..200);
        let same = bytes(&all).chunks(784).zip(bytes(&other).chunks(784)).filter(|(a, b)| a == b).count();
        assert_eq!(same, 0, "images shared by two seeds");
    }

    #[test]
    fn the_classes_are_balanced_and_no_image_comes_twice() {
        let Split { train, test, .. } = builtin();
        for (set, each) in [(&train, 2000), (&test, 400)] {
            let mut count = [0; 10];
            set.labels().unwrap().iter().for_each(|&l| count[usize::from(l)] += 1);
            assert_eq!(count, [each; 10]);
            assert_eq!((set.row_dims(), set.image_dims(), set.is_synthetic()), ([1, 28, 28].as_slice(), Some([1, 28, 28]), true));
        }
        let distinct: std::collections::HashSet<&[u8]> = bytes(&train).chunks(784).chain(bytes(&test).chunks(784)).collect();
        assert_eq!(distinct.len(), 24_000);
    }

    /// MNIST: mean 0.131, empty pixels 0.81, of the others 0.61 grey; nothing in the outermost ring; centre of mass at
    /// (14, 14).
    #[test]
    fn the_pictures_have_the_greys_and_the_place_of_mnist() {
        let set = digits(0, 0..2000);
        let pixels = bytes(&set);
        let share = |f: fn(u8) -> bool| pixels.iter().filter(|&&p| f(p)).count() as f64 / pixels.len() as f64;
        let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / 255.0 / pixels.len() as f64;
        assert!((0.12..0.14).contains(&mean), "mean {mean}");
        let (ink, grey) = (share(|p| p > 0), share(|p| p > 0 && p < 240));
        assert!((0.16..0.22).contains(&ink), "ink {ink}");
        assert!((0.07..0.14).contains(&grey), "grey {grey}");
        for image in pixels.chunks(784) {
            let mass: f64 = image.iter().map(|&p| f64::from(p)).sum();
            let x: f64 = image.iter().enumerate().map(|(i, &p)| f64::from(p) * ((i % 28) as f64 + 0.5)).sum::<f64>() / mass;
            let y: f64 = image.iter().enumerate().map(|(i, &p)| f64::from(p) * ((i / 28) as f64 + 0.5)).sum::<f64>() / mass;
            assert!((x - 14.0).abs() < 4.0 && (y - 14.0).abs() < 4.0, "centre of mass ({x}, {y})");
            assert!(mass / 255.0 > 15.0, "an image with next to no ink");
        }
    }

    /// 32 numbers say about as much about such a digit as about one of MNIST, where 13.2 of a variance of 52.7 is lost.
    #[test]
    fn thirty_two_components_lose_as_much_as_on_mnist() {
        let lost = pca_error(&digits(0, 0..3000), 32);
        assert!((10.0..15.0).contains(&lost), "{lost}");
    }

    #[test]
    fn the_shares_of_the_forms_add_up() {
        for (digit, forms) in FORMS.iter().enumerate() {
            assert_eq!(forms.iter().map(|f| f.share).sum::<u32>(), 100, "digit {digit}");
        }
    }

    #[test]
    fn ranges_that_are_empty_or_at_the_end_are_drawn() {
        assert!(digits(0, 5..5).is_empty());
        #[allow(clippy::reversed_empty_ranges)]
        let backwards = digits(0, 9..3);
        assert!(backwards.is_empty());
        assert_eq!(digits(u64::MAX, u32::MAX - 3..u32::MAX).len(), 3);
    }
}
