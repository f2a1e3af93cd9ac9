use workspace_db::sql_types::Embedding;

fn main() {
    let _: Embedding<1536> = Embedding::try_from([0.5; 1535]).unwrap();
}
