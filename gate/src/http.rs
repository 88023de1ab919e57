//! From a request target to who answers it.

use std::sync::Arc;

use network::codec::http::Response;

use crate::envelope::ModuleId;

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    WebSocket(ModuleId),
    Requests(ModuleId),
    Page(Arc<Response>),
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    WebSocket(ModuleId),
    Requests(ModuleId),
    Page(&'a Response),
    /// The path takes upgrades only.
    UpgradeOnly,
    /// The path does not take this method.
    WrongMethod,
    Nothing,
}

/// The routes of one listener; the longest that fits wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    /// Longest path first.
    routes: Vec<(String, Route)>,
}

impl Router {
    pub(crate) fn add(&mut self, path: &str, route: Route) {
        let at = self
            .routes
            .partition_point(|(known, _)| known.len() >= path.len());
        self.routes.insert(at, (path.to_owned(), route));
    }

    pub(crate) fn find(&self, method: &str, path: &str, upgrade: bool) -> Found<'_> {
        let mut other = Found::Nothing;
        for (known, route) in &self.routes {
            match route {
                Route::WebSocket(module) if known == path || known == "*" => {
                    if upgrade {
                        return Found::WebSocket(*module);
                    }
                    if known == path {
                        other = Found::UpgradeOnly;
                    }
                }
                Route::Requests(module) if !upgrade && path.starts_with(known.as_str()) => {
                    return Found::Requests(*module);
                }
                Route::Page(response) if !upgrade && known == path => {
                    if matches!(method, "GET" | "HEAD") {
                        return Found::Page(response);
                    }
                    other = Found::WrongMethod;
                }
                _ => {}
            }
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_fits_wins() {
        let mut router = Router::default();
        router.add("/api/", Route::Requests(ModuleId(1)));
        router.add("/api/v2/", Route::Requests(ModuleId(2)));
        router.add("/im", Route::WebSocket(ModuleId(3)));
        router.add("*", Route::WebSocket(ModuleId(4)));
        router.add("/", Route::Page(Arc::new(Response::new(200))));
        let module = |found: Found<'_>| match found {
            Found::Requests(module) | Found::WebSocket(module) => Some(module.0),
            _ => None,
        };
        assert_eq!(module(router.find("POST", "/api/x", false)), Some(1));
        assert_eq!(module(router.find("POST", "/api/v2/x", false)), Some(2));
        assert_eq!(module(router.find("GET", "/im", true)), Some(3));
        assert_eq!(module(router.find("GET", "/other", true)), Some(4));
        assert!(matches!(
            router.find("GET", "/im", false),
            Found::UpgradeOnly
        ));
        assert!(matches!(router.find("HEAD", "/", false), Found::Page(_)));
        assert!(matches!(
            router.find("POST", "/", false),
            Found::WrongMethod
        ));
        assert!(matches!(
            router.find("GET", "/nowhere", false),
            Found::Nothing
        ));
    }
}
