//! The description of the API, from the attributes of the handlers.

use axum::Json;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::{documents, jobs, model};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    documents::list,
    documents::show,
    documents::create,
    documents::change,
    documents::remove,
    documents::export,
    jobs::request_summary,
    model::answer
))]
struct Api;

pub(crate) async fn document() -> Json<OpenApi> {
    Json(Api::openapi())
}
