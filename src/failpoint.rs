//! Points at which a test can stop the daemon; see [`strongroom_domain::failpoint`].

use strongroom_domain::failpoint::passage;

pub use strongroom_domain::failpoint::Injected;

/// A step of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    ActivateBegin,
    ActivateCommit,
    CompromiseBegin,
    CompromiseCommit,
    ConnectionDelete,
    DeleteCommit,
    DeleteDestroy,
    GenerateAuthorise,
    GenerateCapability,
    GenerateCheck,
    GenerateCommit,
    GenerateGenerate,
    GenerateIssue,
    GeneratePrepare,
    GenerateReserve,
    ImportImport,
    StockCommit,
    StockGenerate,
    StockProve,
    StockReserve,
    SuspendCommit,
    SweepBegin,
    SweepEnd,
    SweepLease,
    SweepNote,
    SweepPlan,
    SweepStep,
}

impl Failpoint {
    const fn name(self) -> &'static str {
        match self {
            Self::ActivateBegin => "activate.begin",
            Self::ActivateCommit => "activate.commit",
            Self::CompromiseBegin => "compromise.begin",
            Self::CompromiseCommit => "compromise.commit",
            Self::ConnectionDelete => "connection.delete",
            Self::DeleteCommit => "delete.commit",
            Self::DeleteDestroy => "delete.destroy",
            Self::GenerateAuthorise => "generate.authorise",
            Self::GenerateCapability => "generate.capability",
            Self::GenerateCheck => "generate.check",
            Self::GenerateCommit => "generate.commit",
            Self::GenerateGenerate => "generate.generate",
            Self::GenerateIssue => "generate.issue",
            Self::GeneratePrepare => "generate.prepare",
            Self::GenerateReserve => "generate.reserve",
            Self::ImportImport => "import.import",
            Self::StockCommit => "stock.commit",
            Self::StockGenerate => "stock.generate",
            Self::StockProve => "stock.prove",
            Self::StockReserve => "stock.reserve",
            Self::SuspendCommit => "suspend.commit",
            Self::SweepBegin => "sweep.begin",
            Self::SweepEnd => "sweep.end",
            Self::SweepLease => "sweep.lease",
            Self::SweepNote => "sweep.note",
            Self::SweepPlan => "sweep.plan",
            Self::SweepStep => "sweep.step",
        }
    }
}

/// Passes a point, unless a test wants otherwise.
///
/// # Errors
/// When a test asked this passage to fail.
pub async fn hit(point: Failpoint) -> Result<(), Injected> {
    let hold = passage(point.name())?;
    if !hold.is_zero() {
        tokio::time::sleep(hold).await;
    }
    Ok(())
}
