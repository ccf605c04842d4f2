//! Buying policies: the check against plain loops over random directories.

use super::random_directory::{self, Directory, User};
use crate::support::dice::Dice;
use crate::support::postgres;
use roster::store::{PolicyEvaluation, PolicyRefusal};

const ROUNDS: usize = 60;

fn belongs(user: &User, account: usize) -> bool {
    user.accounts.iter().any(|(it, _)| *it == account)
}

impl Directory {
    fn can_act(&self, user: &User, account: usize) -> bool {
        let mut accounts = user.accounts.iter();
        user.active
            && !user.blocked
            && user.access == "enabled"
            && accounts.any(|(it, _)| self.accounts[*it].is_usable())
            && belongs(user, account)
    }

    /// The policies that review a purchase, each with who can approve it.
    fn expected(&self, buyer: usize, account: usize) -> Vec<(String, Vec<String>)> {
        let policies = self.policies.iter().filter(|policy| {
            policy.account == account
                && policy.in_force
                && self.accounts[account].is_usable()
                && policy.reviewed.contains(&buyer)
        });
        policies
            .map(|policy| {
                let approvers = policy.approvers.iter().filter(|approver| {
                    **approver != buyer && self.can_act(&self.users[**approver], account)
                });
                let ids = approvers.map(|it| self.users[*it].id.clone());
                (policy.id.clone(), ids.collect())
            })
            .collect()
    }
}

fn found(evaluation: &PolicyEvaluation) -> Vec<(String, Vec<String>)> {
    let policies = evaluation.policies.iter();
    policies
        .map(|policy| {
            assert_eq!(policy.message.as_deref(), Some("ask"));
            (policy.external_id.clone(), policy.approvers.clone())
        })
        .collect()
}

#[tokio::test]
async fn the_check_agrees_with_plain_loops() {
    for (engine, url) in postgres::databases("policies") {
        let store = random_directory::database(&url).await;
        let mut dice = Dice(12);
        let (mut required, mut idle_count) = (0, 0);
        for round in 0..ROUNDS {
            let directory = Directory::random(&mut dice);
            directory.write(&url).await;
            for (buyer, user) in directory.users.iter().enumerate() {
                for (account, of) in directory.accounts.iter().enumerate() {
                    let asked = store.evaluate_policies(&user.id, &of.id).await;
                    let asked = asked.expect("read");
                    if !belongs(user, account) {
                        assert_eq!(asked, Err(PolicyRefusal::ForeignUser), "{engine}");
                        continue;
                    }
                    let evaluation = asked.expect("a user of the account");
                    let expected = directory.expected(buyer, account);
                    required += expected.len();
                    assert_eq!(found(&evaluation), expected, "{engine}, round {round}");
                    assert_eq!(evaluation.account_usable, of.is_usable());
                }
            }
            let idle = directory.policies.iter().filter(|policy| {
                let able = |it: &usize| directory.can_act(&directory.users[*it], policy.account);
                let able: Vec<usize> = policy.approvers.iter().copied().filter(able).collect();
                // Nobody approves what they buy themselves.
                let alone = |buyer: &usize| able.iter().all(|it| it == buyer);
                let stuck = !policy.reviewed.is_empty() && policy.reviewed.iter().all(alone);
                policy.in_force
                    && directory.accounts[policy.account].is_usable()
                    && (able.is_empty() || stuck)
            });
            let idle: Vec<&str> = idle.map(|policy| policy.id.as_str()).collect();
            let (count, listed) = store.idle_policies(None, 100).await.expect("read");
            let listed: Vec<&str> = listed.iter().map(|it| it.external_id.as_str()).collect();
            assert_eq!(listed, idle, "{engine}, round {round}");
            assert_eq!(count, idle.len() as u64);
            idle_count += idle.len();
        }
        assert!(required > ROUNDS && idle_count > 0, "nothing was compared");
        let unknown = store.evaluate_policies("nobody", "a0").await;
        assert_eq!(unknown.expect("read"), Err(PolicyRefusal::UnknownUser));
        let unknown = store.evaluate_policies("u00", "nowhere").await;
        assert_eq!(unknown.expect("read"), Err(PolicyRefusal::UnknownAccount));
    }
}
