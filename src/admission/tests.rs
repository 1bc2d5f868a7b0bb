#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

const HSM: ProviderKind = ProviderKind::Hsm;

fn turns(at_once: usize, share: usize) -> FairQueue {
    FairQueue::new("test", QueueBounds { concurrency: at_once, share })
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

impl FairQueue {
    /// A request of one call.
    async fn take(&self, provider: ProviderKind, principal: &str, deadline: Instant) -> Result<Permit, NotAdmitted> {
        self.admit(provider, principal)?.acquire(deadline).await
    }
}

/// Lets every task that can run do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Queues a call that notes its principal when its turn comes.
async fn queue(turns: &FairQueue, principal: &'static str, seen: &Arc<Mutex<Vec<&'static str>>>) {
    let (turns, seen) = (turns.clone(), Arc::clone(seen));
    tokio::spawn(async move {
        let _turn = turns.take(HSM, principal, soon()).await.unwrap();
        seen.lock().unwrap().push(principal);
    });
    settle().await;
}

#[tokio::test]
async fn principals_take_turns_however_many_calls_each_has() {
    let (turns, seen) = (turns(1, 100), Arc::default());
    let first = turns.take(HSM, "a", soon()).await.unwrap();
    for principal in ["a", "a", "a", "a", "b", "c", "c", "b"] {
        queue(&turns, principal, &seen).await;
    }
    assert_eq!(*seen.lock().unwrap(), [""; 0], "there is one turn, and it is taken");
    drop(first);
    settle().await;
    assert_eq!(*seen.lock().unwrap(), ["a", "b", "c", "a", "b", "c", "a", "a"]);
}

#[tokio::test]
async fn share_is_refused_at_once_and_comes_back() {
    let turns = turns(1, 2);
    let one = turns.admit(HSM, "a").unwrap();
    let permit = one.acquire(soon()).await.unwrap();
    let two = turns.admit(HSM, "a").unwrap();
    assert_eq!(turns.admit(HSM, "a").unwrap_err(), NotAdmitted::ShareExceeded(2));
    turns.admit(ProviderKind::Local, "a").unwrap();
    turns.admit(HSM, "b").unwrap();
    drop(permit);
    two.acquire(soon()).await.unwrap();
    drop(one);
    turns.take(HSM, "a", soon()).await.unwrap();
    drop(two);
    assert!(turns.hsm.state().counts.is_empty(), "nothing is left of those who have gone");
}

#[tokio::test]
async fn deadline_ends_the_wait_and_takes_no_turn() {
    let turns = turns(1, 10);
    assert_eq!(turns.take(HSM, "a", Instant::now()).await.unwrap_err(), NotAdmitted::DeadlinePassed);
    let held = turns.take(HSM, "a", soon()).await.unwrap();
    let late = turns.take(HSM, "b", Instant::now() + Duration::from_millis(20)).await;
    assert_eq!(late.unwrap_err(), NotAdmitted::DeadlinePassed);
    assert!(turns.hsm.state().waiting.is_empty());
    drop(held);
    assert_eq!(turns.hsm.state().running, 0);
    turns.take(HSM, "b", soon()).await.unwrap();
}

#[tokio::test]
async fn call_that_goes_away_hands_its_turn_on_even_if_it_came_just_then() {
    let (turns, seen) = (turns(1, 10), Arc::default());
    let held = turns.take(HSM, "a", soon()).await.unwrap();
    let mut gone = Box::pin(turns.take(HSM, "b", soon()));
    let waits = std::future::poll_fn(|context| Poll::Ready(gone.as_mut().poll(context).is_pending())).await;
    assert!(waits);
    queue(&turns, "c", &seen).await;
    drop(held);
    // The turn is `b`'s by now, and nobody has told it.
    drop(gone);
    settle().await;
    assert_eq!(*seen.lock().unwrap(), ["c"]);
    assert_eq!(turns.hsm.state().running, 0);
}

#[tokio::test]
async fn turn_lasts_as_long_as_its_work_though_nobody_waits_for_it() {
    let turns = turns(1, 10);
    let done = Arc::new(AtomicBool::new(false));
    let (finish, told) = oneshot::channel::<()>();
    let work = {
        let done = Arc::clone(&done);
        async move {
            told.await.unwrap();
            done.store(true, Ordering::SeqCst);
        }
    };
    let permit = turns.take(HSM, "a", soon()).await.unwrap();
    let late = permit.run(Instant::now() + Duration::from_millis(10), work).await;
    assert_eq!(late, Err(NotAdmitted::DeadlinePassed));
    let denied = turns.take(HSM, "b", Instant::now() + Duration::from_millis(10)).await;
    assert_eq!(denied.unwrap_err(), NotAdmitted::DeadlinePassed);
    finish.send(()).unwrap();
    turns.take(HSM, "b", soon()).await.unwrap();
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn work_that_is_done_in_time_gives_its_result() {
    let permit = turns(1, 1).take(HSM, "a", soon()).await.unwrap();
    assert_eq!(permit.run(soon(), async { 7 }).await, Ok(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_turn_is_lost_or_doubled_by_calls_that_give_up() {
    let turns = turns(3, 1000);
    let at_work = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let calls = (0..600).map(|n| {
        let (turns, at_work) = (turns.clone(), Arc::clone(&at_work));
        tokio::spawn(async move {
            let patience = Duration::from_micros(if n % 3 == 0 { 50 } else { 20_000_000 });
            let principal = ["a", "b", "c"].into_iter().cycle().nth(n % 7).unwrap();
            let Ok(permit) = turns.take(HSM, principal, Instant::now() + patience).await else { return };
            assert!(at_work.fetch_add(1, Ordering::SeqCst) < 3);
            tokio::time::sleep(Duration::from_micros(100)).await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            drop(permit);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let state = turns.hsm.state();
    assert_eq!((state.running, state.counts.len(), state.waiting.len()), (0, 0, 0));
}

#[tokio::test]
async fn key_files_are_worked_on_two_at_a_time_and_those_that_would_wait_too_long_are_turned_away() {
    let pool = BlockingPool::for_key_files();
    let (first, _second) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(Box::pin(pool.acquire()));
        assert!(waiting.last_mut().unwrap().now_or_never().is_none());
    }
    assert_eq!(pool.acquire().await.err().unwrap().kind(), ErrorKind::Busy);
    assert_eq!(first.run(|| Ok(7)).await.unwrap(), 7);
    assert!(waiting.first_mut().unwrap().now_or_never().is_some());
    // A caller that gives up leaves a place.
    drop(waiting);
    assert!(pool.acquire().now_or_never().is_some());
}

#[tokio::test(flavor = "current_thread")]
async fn documents_are_worked_on_apart_where_they_are_large() {
    let pool = BlockingPool::for_documents();
    let here = std::thread::current().id();
    let on = |bytes| pool.run_sized(bytes, || std::thread::current().id());
    assert_eq!(on(64 << 10).await.unwrap(), here);
    assert_ne!(on((64 << 10) + 1).await.unwrap(), here);
}
