//! How well scores find anomalies: against numbers worked out by hand, and those of scikit-learn's documentation.

use narrows::tasks::Detection;

fn of(scores: &[f32], marks: &[u8]) -> Detection {
    Detection::of(scores, &marks.iter().map(|mark| *mark == 1).collect::<Vec<_>>()).unwrap()
}

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-12, "{found} and not {wanted}");
}

/// `roc_auc_score`, `roc_curve`, `average_precision_score` and `precision_recall_curve` have these rows as examples.
#[test]
fn the_examples_of_scikit_learn_give_its_numbers() {
    let found = of(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]);
    near(found.auroc, 0.75);
    near(found.average_precision, 5.0 / 6.0);
    assert_eq!(found.roc, [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
    assert_eq!(found.precision_recall, [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5)]);
    assert_eq!((found.rows, found.anomalies, found.precision_at_n), (4, 2, 0.5));
    // Its tests: two rows in order, against it, and with one score.
    for (scores, auroc, average_precision) in [([0.0, 1.0], 1.0, 1.0), ([1.0, 0.0], 0.0, 0.5), ([0.5, 0.5], 0.5, 0.5)] {
        let found = of(&scores, &[0, 1]);
        near(found.auroc, auroc);
        near(found.average_precision, average_precision);
    }
}

#[test]
fn equal_scores_count_one_half_in_any_order_of_the_rows() {
    // By score: 0.7 one anomaly; 0.5 one anomaly and two usual rows; 0.2 one anomaly and one usual row.
    // Pairs of an anomaly above a usual row: 0.7 over three; 0.5 over one and half of two; 0.2 over half of one: 5.5
    // of 9. Precision 1, 2/4 and 3/6, each for a third of the anomalies.
    let (scores, marks) = ([0.5, 0.5, 0.5, 0.7, 0.2, 0.2], [0, 1, 0, 1, 1, 0]);
    for turn in 0..6 {
        let turned = |at: usize| (at + turn) % 6;
        let found = of(&[0, 1, 2, 3, 4, 5].map(|at| scores[turned(at)]), &[0, 1, 2, 3, 4, 5].map(|at| marks[turned(at)]));
        near(found.auroc, 5.5 / 9.0);
        near(found.average_precision, 2.0 / 3.0);
        // Three places: 0.7, and two of the three rows with 0.5.
        near(found.precision_at_n, (1.0 + 2.0 / 3.0) / 3.0);
    }
}

#[test]
fn against_the_definitions_pair_by_pair() {
    // Scores with many equal ones, the anomalies a little higher.
    let number = |i: u32| i.wrapping_mul(2_654_435_761) >> 16;
    let marks: Vec<u8> = (0..500).map(|i| u8::from(number(i) % 10 < 2)).collect();
    let scores: Vec<f32> = (0..500).map(|i| (number(i + 1000) % 20) as f32 + 4.0 * f32::from(marks[i as usize])).collect();
    let found = of(&scores, &marks);
    let (bad, usual): (Vec<usize>, Vec<usize>) = (0..500).partition(|&i| marks[i] == 1);
    let above = |a: usize, b: usize| f64::from(u8::from(scores[a] > scores[b])) + 0.5 * f64::from(u8::from(scores[a] == scores[b]));
    let pairs: f64 = bad.iter().map(|&a| usual.iter().map(|&b| above(a, b)).sum::<f64>()).sum();
    near(found.auroc, pairs / (bad.len() * usual.len()) as f64);
    // Of each anomaly, the precision among the rows with at least its score.
    let precision = |&a: &usize| {
        let at_least = |rows: &[usize]| rows.iter().filter(|&&i| scores[i] >= scores[a]).count() as f64;
        at_least(&bad) / (at_least(&bad) + at_least(&usual))
    };
    near(found.average_precision, bad.iter().map(precision).sum::<f64>() / bad.len() as f64);
    assert!(found.auroc > 0.6 && found.auroc < 0.9, "{found}");
}

#[test]
fn what_can_not_be_measured_is_an_error_and_nan_is_the_largest() {
    for (scores, marks) in [(&[1.0, 2.0][..], &[true, true][..]), (&[1.0, 2.0], &[false, false]), (&[], &[]), (&[1.0], &[true, false])] {
        assert!(Detection::of(scores, marks).is_err(), "{scores:?} {marks:?}");
    }
    near(of(&[f32::NAN, 1.0, -0.0, 0.0], &[1, 0, 0, 0]).auroc, 1.0);
    near(of(&[-0.0, 0.0], &[1, 0]).auroc, 0.5);
}
