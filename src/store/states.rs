//! Sets of states in SQL text; a test compares them with those of `KeyState`.

/// The states in which users of a ring see a key.
macro_rules! visible {
    () => {
        "('PreActive', 'Active', 'Deactivated', 'Suspended')"
    };
}

/// The states in which a key is found by its kid or id.
macro_rules! named {
    () => {
        "('PreActive', 'Active', 'Deactivated', 'Suspended', 'Compromised', 'PendingDestruction')"
    };
}

/// The condition of the key that signs in its ring, or would if it were not suspended.
macro_rules! current {
    () => {
        "(state = 'Active' OR (state = 'Suspended' AND suspended_from = 'Active'))"
    };
}

/// The order of a ring's keys.
macro_rules! by_importance {
    () => {
        " ORDER BY CASE state WHEN 'Active' THEN 1 WHEN 'PreActive' THEN 2 ELSE 3 END, generation"
    };
}

pub(super) use {by_importance, current, named, visible};

#[cfg(test)]
mod tests {
    use strongroom_domain::key::KeyState;

    fn list(of: impl Fn(KeyState) -> bool) -> String {
        let names: Vec<String> =
            KeyState::ALL.into_iter().filter(|state| of(*state)).map(|state| format!("'{state}'")).collect();
        format!("({})", names.join(", "))
    }

    #[test]
    fn sql_lists_are_those_of_the_states() {
        assert_eq!(visible!(), list(KeyState::is_visible));
        assert_eq!(named!(), list(KeyState::is_named));
    }
}
