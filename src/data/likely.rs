//! What a text probably is that should have been a number.

/// Signs of currencies, and the percent sign.
const SIGNS: [char; 7] = ['$', '€', '£', '¥', '₹', '₩', '%'];
/// What people write between thousands.
const BETWEEN: [char; 7] = [',', '.', '\'', '’', ' ', '\u{a0}', '\u{202f}'];

/// What keeps a text from being a number, and what to do about it, if it looks like one.
pub(super) fn likely(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|c| !SIGNS.contains(c)).collect();
    let bare = bare.trim();
    if bare.len() < text.len() && is_amount(bare) {
        return Some("a sign stands beside a number: leave it out".into());
    }
    if let Some(sign) = BETWEEN.into_iter().find(|&sign| is_grouped(text, sign)) {
        return Some(format!("`{sign}` seems to stand between thousands: leave it out"));
    }
    let day = text.split([' ', 'T']).next().unwrap_or_default();
    let is_date = ['-', '/', '.'].into_iter().any(|sign| is_digits(day, sign, 3..=3));
    match is_date || is_digits(text, ':', 2..=3) {
        true => Some("a date or a time: write it as one number, such as days since 1970, or leave the column out (--drop)".into()),
        false => None,
    }
}

/// Whether it is a number, perhaps with marks between thousands or a decimal comma.
fn is_amount(text: &str) -> bool {
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    is_number(text) || is_number(&text.replacen(',', ".", 1)) || BETWEEN.into_iter().any(|sign| is_grouped(text, sign))
}

/// Whether `sign` stands after each three digits that come before the decimals.
fn is_grouped(text: &str, sign: char) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let decimal = if sign == '.' { ',' } else { '.' };
    let (whole, decimals) = digits.split_once(decimal).unwrap_or((digits, ""));
    let mut groups = whole.split(sign);
    let is_of = |group: &str, lengths: std::ops::RangeInclusive<usize>| lengths.contains(&group.len()) && all_digits(group);
    is_of(groups.next().unwrap_or_default(), 1..=3)
        && whole.contains(sign)
        && groups.all(|group| is_of(group, 3..=3))
        && all_digits(decimals)
}

/// Whether there are so many numbers of at most four digits with `sign` between them.
fn is_digits(text: &str, sign: char, numbers: std::ops::RangeInclusive<usize>) -> bool {
    let parts: Vec<&str> = text.split(sign).collect();
    numbers.contains(&parts.len())
        && parts.iter().all(|part| (1..=4).contains(&part.len()) && all_digits(part))
        && parts.iter().any(|part| part.len() > 1)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::likely;

    #[test]
    fn what_keeps_a_text_from_being_a_number_is_named() {
        for (texts, said) in [
            (&["1,386.32", "-12,000", "1,234,567"][..], "`,` seems to stand between thousands"),
            (&["1.386,32", "1.234.567"], "`.` seems to stand between thousands"),
            (&["1'386.32", "1 386"], "seems to stand between thousands"),
            (&["$9.49", "-$1,386.32", "9,49 €", "£7", "12 %"], "a sign stands beside a number"),
            (&["2024-01-31", "31.12.2024", "1/2/24", "2024-01-31 12:30:00", "2024-01-31T12:30:00Z", "12:30"], "a date or a time"),
        ] {
            for text in texts {
                assert!(likely(text).is_some_and(|hint| hint.contains(said)), "{text}: {:?}", likely(text));
            }
        }
        for text in ["", "x", "Bern", "1,2", "2,3", "12,34", "0x10", "1_000", "a-b-c", "1.2.3", "1.2.3.4", "$", "%", "12345-1-1", ",123"] {
            assert_eq!(likely(text), None, "{text}");
        }
    }
}
