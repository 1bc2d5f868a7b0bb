//! What every store does: each case takes an empty store. A database joins by naming
//! its cases with [`every_case!`].

mod changes;
mod contention;
mod documents;
mod lifecycle;
mod local;
mod members;
mod memory;
mod pins;
mod requests;
mod rings;
mod states;
mod stock;

use std::sync::Arc;

pub(super) use changes::*;
pub(super) use contention::*;
pub(super) use documents::*;
pub(super) use lifecycle::*;
pub(super) use local::*;
pub(super) use members::*;
pub(super) use memory::*;
pub(super) use pins::*;
pub(super) use requests::*;
pub(super) use rings::*;
pub(super) use states::*;
pub(super) use stock::*;

use super::Store;

type AnyStore = Arc<Store>;

/// Makes a test of each case of the contract, on stores that `$open` opens.
macro_rules! every_case {
    ($open:path) => {
        $crate::store::tests::contract::every_case! { $open:
            reservation_and_commit_keep_every_field
            only_one_of_two_commits_wins
            only_one_of_commit_and_abandonment_wins
            only_one_of_two_transitions_wins
            states_move_only_along_their_machine
            deactivated_web_key_may_become_active_again_and_no_other
            dates_follow_the_states
            suspended_key_returns_where_it_came_from_and_nowhere_else
            suspended_key_keeps_its_place_until_another_becomes_active
            compromised_key_is_named_and_in_no_ring
            compromised_key_awaits_the_next_active_one_of_its_ring
            public_key_that_was_compromised_never_comes_back
            key_about_to_be_destroyed_is_named_and_in_no_ring
            name_of_a_key_about_to_be_destroyed_is_free
            compromised_key_stays_compromised_through_a_cancelled_destruction
            ring_is_refused_a_second_key_until_its_name_is_free
            generation_counts_tombstones
            locator_names_one_living_key
            hundred_reservations_at_once_are_all_kept
            stock_is_claimed_once_and_becomes_a_reservation
            stock_that_is_not_as_it_was_seen_is_not_claimed
            oldest_usable_key_of_the_stock_comes_first
            claim_that_is_abandoned_frees_ring_and_request
            one_ring_wanted_by_many_goes_to_one
            ring_lists_only_what_its_users_see
            active_of_kind_is_ordered_by_creation
            fingerprint_is_the_same_for_the_same_body_only
            same_request_is_answered_from_memory
            same_request_while_running_is_in_progress
            claims_are_apart_by_principal_route_and_key
            refused_ring_takes_no_claim
            abandonment_frees_name_and_claim
            expired_claim_is_forgotten
            unfinished_knows_leases_and_former_lives
            page_walks_all_but_old_tombstones
            keys_of_a_provider_are_counted_until_they_are_gone
            missing_mark_comes_and_goes
            missing_mark_is_refused_for_keys_that_need_not_be_there
            audit_events_stand_or_fall_with_their_change
            audit_keeps_every_action_and_is_paged_by_number
            epoch_and_revision_grow_with_what_caches_may_know
            documents_are_kept_replaced_and_removed
            document_refers_only_to_rings_with_an_active_key
            key_that_is_referred_to_is_not_deleted
            rotation_settings_go_with_the_last_key_of_their_ring
            rotation_settings_go_with_the_certificates_that_void_them
            reference_and_deletion_never_both_win
            sealed_half_is_kept_replaced_and_erased
            key_in_a_token_is_given_no_sealed_half
            master_keys_are_added_once_each
            first_master_key_is_not_made_where_keys_are_sealed
            retired_master_keys_seal_nothing_any_more
            certificates_of_a_visible_key_are_replaced_at_once
            change_of_several_rows_is_made_whole_or_not_at_all
            ring_never_has_two_active_keys
            second_successor_is_refused_while_one_is_on_its_way
            remembered_knows_the_latest_key_of_a_kid_and_ring
            rings_are_paged_by_id_while_they_have_visible_keys
            ring_is_due_after_each_change_until_a_plan_is_noted
            right_to_sweep_has_one_holder_and_numbers_that_grow
            change_under_an_older_number_is_refused
            activation_moves_two_keys_with_their_events
            key_that_the_token_has_lost_is_not_activated
            document_is_replaced_in_the_revision_that_was_read
            name_is_claimed_by_one_document_of_its_kind
            documents_change_with_keys_or_not_at_all
            refused_pin_is_tried_once_by_whichever_daemon
            pin_that_worked_is_tried_once_more_after_a_refusal
            attempts_that_are_cut_short_are_bounded
            pin_that_another_replaces_is_refused
            one_claim_for_many_rings_is_kept_once
            new_document_is_made_once
            master_key_is_not_retired_beside_a_commit_under_it
            changes_of_the_same_rings_in_either_order_never_block_each_other
            epoch_counts_every_change_of_many_at_once
            fence_that_is_lost_meanwhile_refuses_the_commit
        }
    };
    ($open:path: $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _place) = $open().await;
                $crate::store::tests::contract::$case(store).await;
            }
        )*
    };
}
pub(super) use every_case;
