//! One download: the answer to a request for a file, in one piece or in several.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, SessionId};
use gate::{BodySource, GateHandle, HttpRequest, Portion, Response};

use super::service::Attachments;
use super::{Address, Attachment, Hash, Variant, content, name};

/// Bytes that are read from a file at a time, and that wait for one client at most.
const PIECE_BYTES: u64 = 128 * 1024;

/// Answers a request for a file that an address was given out for, in a thread that may wait for
/// the disk.
///
/// # Errors
/// If there is no such file, or it cannot be read; nothing was answered then.
pub(super) fn answer(
    service: &Arc<Attachments>,
    handle: &GateHandle,
    request: &HttpRequest,
    address: Address,
    found: &Attachment,
) -> io::Result<()> {
    let Address { hash, variant, .. } = address;
    let file = Named { hash, variant };
    let bytes = service.files().length(hash, variant)?;
    let (etag, (media_type, shown)) = match variant {
        Variant::Whole => (format!("\"{hash}\""), content::served(&found.media_type)),
        Variant::Thumbnail => {
            let media_type = content::media_type(&file.read(service, 0..bytes.min(16))?);
            (format!("\"{hash}-small\""), content::served(media_type))
        }
    };
    let adorned = |response: Response| {
        response
            .with_header("etag", etag.clone())
            // What has this hash never changes; the address is for one person and not for all.
            .with_header("cache-control", "private, max-age=31536000, immutable")
            .with_header("x-content-type-options", "nosniff")
            // Should a browser take it for a page all the same, it is one that can do nothing.
            .with_header("content-security-policy", "sandbox; default-src 'none'")
            .with_header("cross-origin-resource-policy", "same-origin")
    };
    let session = request.session;
    let (status, range) = match Portion::of(&request.method, request.headers(), &etag, bytes) {
        Portion::Whole => (200, 0..bytes),
        Portion::Part(range) => (206, range),
        Portion::Unchanged => {
            handle.respond(session, adorned(Response::new(304)));
            return Ok(());
        }
        Portion::Failed => {
            handle.respond(session, Response::text(412, "the file is another one\n"));
            return Ok(());
        }
        Portion::Nothing => {
            let none = Response::text(416, "the file is not that long\n")
                .with_header("content-range", format!("bytes */{bytes}"))
                .with_header("accept-ranges", "bytes");
            handle.respond(session, none);
            return Ok(());
        }
    };
    let length = range.end - range.start;
    let mut head = adorned(Response::new(status))
        .with_header("content-disposition", name::disposition(shown, &found.name))
        .with_header("accept-ranges", "bytes");
    if status == 206 {
        let last = range.end - 1;
        let place = format!("bytes {}-{last}/{bytes}", range.start);
        head = head.with_header("content-range", place);
    }
    if length <= PIECE_BYTES {
        handle.respond(
            session,
            head.with_body(media_type, file.read(service, range)?),
        );
        return Ok(());
    }
    let rest = Rest {
        service: Arc::clone(service),
        file,
        left: range,
    };
    let head = head.with_header("content-type", media_type);
    handle.respond_in_pieces(session, head, length, Box::new(rest));
    Ok(())
}

/// A file by its name.
#[derive(Clone, Copy, Debug)]
struct Named {
    hash: Hash,
    variant: Variant,
}

impl Named {
    fn read(self, service: &Attachments, range: Range<u64>) -> io::Result<Bytes> {
        // At most a piece.
        let bytes = (range.end - range.start) as usize;
        let piece = service
            .files()
            .read(self.hash, self.variant, range.start, bytes)?;
        Ok(piece.into())
    }
}

/// What of a file has not been sent.
#[derive(Debug)]
struct Rest {
    service: Arc<Attachments>,
    file: Named,
    left: Range<u64>,
}

impl BodySource for Rest {
    fn next(&mut self, session: SessionId, handle: &GateHandle) -> bool {
        let end = self.left.end.min(self.left.start + PIECE_BYTES);
        let range = self.left.start..end;
        self.left.start = end;
        let (service, file) = (Arc::clone(&self.service), self.file);
        let handle = handle.clone();
        self.service
            .submit(move || match file.read(&service, range) {
                Ok(piece) => handle.send_body(session, piece),
                Err(error) => {
                    // The head has promised more; that there is none, only the end can show.
                    tracing::warn!(%error, hash = %file.hash, "a file cannot be read to its end");
                    handle.close(session, CloseReason::Module(1011), "");
                }
            })
    }
}
