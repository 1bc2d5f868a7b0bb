//! The two types of time that certificates hold (RFC 5280 section 4.1.2.5).

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::tlv::{GENERALIZED_TIME, Tlv, UTC_TIME};
use strongroom_domain::clock::Timestamp;

/// The moment that an element names; the reason for which it names none.
pub(super) fn moment(time: Tlv<'_>) -> Result<Timestamp, String> {
    let unreadable = || format!("{:?} is no time of RFC 5280", String::from_utf8_lossy(time.contents));
    let digits = time.contents.strip_suffix(b"Z").ok_or_else(unreadable)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(unreadable());
    }
    let (year, rest) = match (time.tag, digits) {
        // Two digits of 1950 to 2049.
        (UTC_TIME, [tens, ones, rest @ ..]) => {
            let year = number(&[*tens, *ones]);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (GENERALIZED_TIME, digits) if digits.len() > 4 => {
            let (year, rest) = digits.split_at(4);
            (number(year), rest)
        }
        _ => return Err(unreadable()),
    };
    let (pairs, []) = rest.as_chunks::<2>() else { return Err(unreadable()) };
    let pairs: Vec<u8> = pairs.iter().map(|[tens, ones]| pair(*tens, *ones)).collect();
    let [month, day, hour, minute, second] = pairs.as_slice() else { return Err(unreadable()) };
    let of_calendar = || {
        let date = Date::from_calendar_date(year, Month::try_from(*month).ok()?, *day).ok()?;
        Some(PrimitiveDateTime::new(date, Time::from_hms(*hour, *minute, *second).ok()?).assume_utc())
    };
    of_calendar().map(timestamp).ok_or_else(unreadable)
}

fn timestamp(moment: OffsetDateTime) -> Timestamp {
    Timestamp::from_micros(moment.unix_timestamp().saturating_mul(1_000_000))
}

fn number(digits: &[u8]) -> i32 {
    digits.iter().fold(0, |number, digit| number * 10 + i32::from(digit.wrapping_sub(b'0')))
}

fn pair(tens: u8, ones: u8) -> u8 {
    tens.wrapping_sub(b'0').wrapping_mul(10).wrapping_add(ones.wrapping_sub(b'0'))
}
