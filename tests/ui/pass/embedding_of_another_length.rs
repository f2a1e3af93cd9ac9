use workspace_db::sql_types::Embedding;

pub fn main() {
    let _: Embedding<1536> = Embedding::try_from([0.5; 1536]).unwrap();
    // A length that is known only when it comes is measured then.
    let _: Result<Embedding<1536>, _> = Embedding::try_from(vec![0.5; 1535]);
}
