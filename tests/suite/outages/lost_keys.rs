//! Keys that the token lost while the daemon runs.

use std::time::Duration;

use super::Bench;
use crate::harness::eventually;

#[test]
fn a_key_that_a_signature_does_not_find_is_marked_and_two_of_them_ask_for_an_inventory() {
    let bench = Bench::new(4, "");
    bench.all_sign_within(Duration::from_secs(5));
    let private: Vec<String> = bench.token.objects().into_iter().filter(|o| o.private).map(|o| o.id).collect();
    assert_eq!(private.len(), 4);
    for id in &private[..3] {
        bench.token.tool(&["--delete-object", "--type", "privkey", "--id", id]);
    }
    // One of them is found out about by its signature; which, only the token knows.
    let lost = || bench.keys.iter().filter(|key| bench.sign(key).status.as_u16() == 503).count();
    eventually("three signatures that fail", Duration::from_secs(10), || (lost() == 3).then_some(()));
    eventually("three marks", Duration::from_secs(10), || {
        let marked = bench
            .keys
            .iter()
            .filter(|key| bench.daemon.get(&format!("/v1/keys/{}", key.kid)).expect(200).json()["missing"] == true);
        (marked.count() == 3).then_some(())
    });
    eventually("an inventory", Duration::from_secs(10), || {
        bench.daemon.log().contains("reconcile: missing").then_some(())
    });
    assert_eq!(bench.daemon.get("/readyz").status.as_u16(), 200);
}
