//! Points at which a test can stop a token host; see [`strongroom_domain::failpoint`].

use strongroom_domain::failpoint::passage;

pub(crate) use strongroom_domain::failpoint::Injected;

/// A step of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failpoint {
    GenerateBefore,
    GenerateAfter,
    ImportAfter,
    Sign,
    Decrypt,
    Destroy,
}

impl Failpoint {
    const fn name(self) -> &'static str {
        match self {
            Self::GenerateBefore => "host.generate.before",
            Self::GenerateAfter => "host.generate.after",
            Self::ImportAfter => "host.import.after",
            Self::Sign => "host.sign",
            Self::Decrypt => "host.decrypt",
            Self::Destroy => "host.destroy",
        }
    }
}

/// Passes a point, unless a test wants otherwise.
///
/// # Errors
/// When a test asked this passage to fail.
pub(crate) fn hit(point: Failpoint) -> Result<(), Injected> {
    let hold = passage(point.name())?;
    if !hold.is_zero() {
        std::thread::sleep(hold);
    }
    Ok(())
}
