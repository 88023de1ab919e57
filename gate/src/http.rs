//! From a request target to who answers it.

use std::sync::Arc;

use network::codec::http::Response;

use crate::envelope::ModuleId;
use crate::files::{Entry, File, Site};

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    WebSocket(ModuleId),
    Requests(ModuleId),
    /// POST with a body that comes in pieces.
    Uploads(ModuleId),
    Page(Arc<Response>),
    Health,
    Files(Arc<Site>),
}

/// Methods that a server as a whole may be asked with (RFC 9110 section 9.3.7): those that a module
/// can be handed. TRACE is not among them, which would send a client's credentials back to whoever
/// runs a script in it.
pub(crate) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Methods of what is only read.
const READING: &str = "GET, HEAD, OPTIONS";
/// Method of what is sent in pieces.
pub(crate) const UPLOADING: &str = "POST";
/// Methods of a path that is there to be upgraded (RFC 6455 section 4.1).
const UPGRADING: &str = "GET, OPTIONS";

/// What a path leads to.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    WebSocket(ModuleId),
    Requests(ModuleId),
    Uploads(ModuleId),
    Page(&'a Response),
    Health,
    File(&'a File),
    /// A folder that is asked for without the slash at its end.
    Folder,
    /// No path of a file, written as it is.
    CrookedPath,
    /// The path takes upgrades only.
    UpgradeOnly,
    /// The path does not take this method, but these.
    WrongMethod(&'static str),
    /// The method asks which ones there are.
    Methods(&'static str),
    /// Nobody knows this method (RFC 9110 section 9.1).
    UnknownMethod,
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
        if path == "*" {
            return Found::Methods(METHODS);
        }
        let mut other = match is_known(method) {
            true => Found::Nothing,
            false => Found::UnknownMethod,
        };
        for (known, route) in &self.routes {
            match route {
                Route::WebSocket(module) if known == path || known == "*" => {
                    if upgrade {
                        return Found::WebSocket(*module);
                    }
                    if known == path {
                        other = unread(method, UPGRADING).unwrap_or(Found::UpgradeOnly);
                    }
                }
                Route::Requests(module) if !upgrade && path.starts_with(known.as_str()) => {
                    return match method {
                        "TRACE" => Found::WrongMethod(METHODS),
                        _ => Found::Requests(*module),
                    };
                }
                Route::Uploads(module) if method == UPLOADING && known == path => {
                    return Found::Uploads(*module);
                }
                Route::Page(response) if !upgrade && known == path => {
                    return unread(method, READING).unwrap_or(Found::Page(response));
                }
                Route::Health if !upgrade && known == path => {
                    return unread(method, READING).unwrap_or(Found::Health);
                }
                Route::Files(site) if !upgrade => {
                    let Some(inner) = path.strip_prefix(known.as_str()) else {
                        continue;
                    };
                    let found = match site.find(inner) {
                        Ok(Some(Entry::File(file))) => Found::File(file),
                        Ok(Some(Entry::Folder)) => Found::Folder,
                        Ok(None) => continue,
                        Err(_) => return Found::CrookedPath,
                    };
                    return unread(method, READING).unwrap_or(found);
                }
                _ => {}
            }
        }
        other
    }
}

/// What answers a method that does not read what is at a path; `None` for GET and HEAD.
fn unread(method: &str, allowed: &'static str) -> Option<Found<'static>> {
    match method {
        "GET" | "HEAD" => None,
        "OPTIONS" => Some(Found::Methods(allowed)),
        known if is_known(known) => Some(Found::WrongMethod(allowed)),
        _ => Some(Found::UnknownMethod),
    }
}

/// Whether RFC 9110 section 9.3 or RFC 5789 defines the method; letter case counts.
fn is_known(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE"
    )
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
            Found::WrongMethod("GET, HEAD, OPTIONS")
        ));
        assert!(matches!(
            router.find("TRACE", "/api/x", false),
            Found::WrongMethod(_)
        ));
        for path in ["/", "/im", "/nowhere"] {
            assert!(matches!(
                router.find("get", path, false),
                Found::UnknownMethod
            ));
        }
        assert!(matches!(
            router.find("OPTIONS", "*", false),
            Found::Methods(METHODS)
        ));
        assert!(matches!(
            router.find("GET", "/nowhere", false),
            Found::Nothing
        ));
    }
}
