use diesel::ExpressionMethods as _;
use workspace_db::conversations::{MessageInput, append, history, history_until, select_branch, siblings};
use workspace_db::id::MessageId;
use workspace_db::schema::{conversations, messages};
use workspace_db::tenancy::InWorkspace as _;

use super::Fixture;
use crate::size;

/// A tree in memory: the parent of each message, and the head.
#[derive(Default)]
struct Model {
    ids: Vec<MessageId>,
    parents: Vec<Option<usize>>,
    head: Option<usize>,
}

impl Model {
    fn insert(&mut self, id: MessageId, parent: Option<usize>) {
        self.ids.push(id);
        self.parents.push(parent);
        self.head = Some(self.ids.len() - 1);
    }

    fn chain(&self, last: usize) -> Vec<MessageId> {
        let mut chain: Vec<MessageId> =
            std::iter::successors(Some(last), |at| self.parents[*at]).map(|at| self.ids[at]).collect();
        chain.reverse();
        chain
    }

    /// The newest message that follows, and again, until none does.
    fn leaf(&self, mut at: usize) -> usize {
        while let Some(next) = (0..self.ids.len()).rev().find(|child| self.parents[*child] == Some(at)) {
            at = next;
        }
        at
    }

    fn siblings(&self, at: usize) -> Vec<MessageId> {
        (0..self.ids.len()).filter(|other| self.parents[*other] == self.parents[at]).map(|at| self.ids[at]).collect()
    }
}

#[tokio::test]
async fn random_operations_give_the_tree_of_a_model() {
    let seed = size("WORKSPACE_DB_TEST_SEED", fastrand::u64(..), fastrand::u64(..));
    println!("WORKSPACE_DB_TEST_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut fixture = Fixture::new().await;
    let (talk, mut model) = (fixture.talk, Model::default());
    for step in 0..size("WORKSPACE_DB_TEST_TREE_STEPS", 400, 10_000) {
        let at = (!model.ids.is_empty()).then(|| rng.usize(..model.ids.len()));
        let text = format!("step {step}");
        match (rng.u8(..6), at) {
            (0, Some(at)) => {
                let result = fixture.append(MessageInput::bot(text).after(model.ids[at])).await;
                model.insert(result.message, Some(at));
            }
            (1, Some(at)) => {
                let result = fixture.append(MessageInput::user(text).beside(model.ids[at])).await;
                model.insert(result.message, model.parents[at]);
            }
            (2, Some(at)) => {
                let leaf = select_branch(&mut fixture.ws, talk, model.ids[at]).await.unwrap();
                model.head = Some(model.leaf(at));
                assert_eq!(leaf, model.ids[model.leaf(at)], "step {step}");
            }
            (3, Some(at)) => {
                let found: Vec<_> =
                    siblings(&mut fixture.ws, model.ids[at]).await.unwrap().iter().map(|one| one.id).collect();
                assert_eq!(found, model.siblings(at), "step {step}");
                let chain = history_until(&mut fixture.ws, talk, model.ids[at], u32::MAX).await.unwrap();
                assert_eq!(chain.iter().map(|one| one.id).collect::<Vec<_>>(), model.chain(at), "step {step}");
            }
            _ => {
                let result = fixture.append(MessageInput::user(text)).await;
                assert_eq!(result.parent, model.head.map(|head| model.ids[head]), "step {step}");
                model.insert(result.message, model.head);
            }
        }
        if step % 20 == 0 {
            let chain = history(&mut fixture.ws, talk, u32::MAX).await.unwrap();
            let expected = model.head.map(|head| model.chain(head)).unwrap_or_default();
            assert_eq!(chain.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "step {step}");
        }
    }
    let stored = fixture.messages().await;
    assert_eq!(stored.iter().map(|one| one.id).collect::<Vec<_>>(), model.ids);
    let parents: Vec<_> = model.parents.iter().map(|parent| parent.map(|at| model.ids[at])).collect();
    assert_eq!(stored.iter().map(|one| one.parent_id).collect::<Vec<_>>(), parents);
}

#[tokio::test]
async fn a_head_that_is_gone_or_of_another_conversation_is_no_head() {
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    let first = fixture.append(MessageInput::user("one")).await.message;
    let second = fixture.append(MessageInput::bot("two")).await.message;
    for head in [Some(MessageId::generate()), Some(fixture.a.message), None] {
        let row = conversations::table.in_workspace(&fixture.ws).find(talk);
        row.update().set(conversations::head_id.eq(head)).execute(&mut fixture.ws).await.unwrap();
        let chain = history(&mut fixture.ws, talk, 10).await.unwrap();
        assert_eq!(chain.iter().map(|one| one.id).collect::<Vec<_>>(), [first, second], "{head:?}");
    }
    messages::table.in_workspace(&fixture.ws).find(second).delete().execute(&mut fixture.ws).await.unwrap();
    let next = fixture.append(MessageInput::bot("another two")).await;
    assert_eq!((next.parent, next.seq), (Some(first), Some(3)), "a number is not given twice");
    let error =
        messages::table.in_workspace(&fixture.ws).find(first).delete().execute(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_still_referenced(), "{error}");
    conversations::table.in_workspace(&fixture.ws).find(talk).delete().execute(&mut fixture.ws).await.unwrap();
    assert_eq!(fixture.messages().await.len(), 0);
}

#[tokio::test]
async fn branches_of_other_conversations_and_workspaces_are_not_found() {
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    for message in [fixture.b.message, fixture.a.message, MessageId::generate()] {
        let error = select_branch(&mut fixture.ws, talk, message).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert_eq!(history_until(&mut fixture.ws, talk, message, 10).await.unwrap(), []);
    }
    let error = siblings(&mut fixture.ws, fixture.b.message).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(history(&mut fixture.ws, fixture.b.conversation, 10).await.unwrap(), []);
    let error = append(&mut fixture.ws, fixture.b.conversation, &MessageInput::user("x")).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}
