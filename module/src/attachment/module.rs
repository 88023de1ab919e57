//! The HTTP side: uploads come in pieces, downloads go out in pieces.

use std::sync::Arc;

use common::{CloseReason, SessionId};
use gate::{BodyPiece, Context, Envelope, GateHandle, HttpRequest, Module, Response};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::address::PREFIX;
use super::answer::Answer;
use super::multipart::Form;
use super::place::{Length, Place};
use super::service::Attachments;
use super::upload::{Upload, UploadError};
use super::{FindAttachment, View, download, name};
use crate::adapter::rest::{bearer, reply};
use crate::im::Im;

/// Takes uploads and hands files out; one in each worker, all over the same attachments.
#[derive(Debug)]
pub struct AttachmentModule {
    im: Arc<Im>,
    service: Arc<Attachments>,
    handle: GateHandle,
    uploads: Uploads,
}

/// What is being uploaded, by session. Jobs end it from their threads.
type Uploads = Arc<Mutex<FxHashMap<SessionId, Arc<Mutex<Stage>>>>>;

#[derive(Debug)]
enum Stage {
    /// Who uploads is being looked up.
    Asking,
    /// Pieces come in.
    Taking(Box<Upload>),
    /// It has become an attachment, or has failed.
    Over,
}

impl AttachmentModule {
    /// In front of the paths of files.
    pub const FILES: &str = PREFIX;

    /// A module of one worker, for the attachments of an IM.
    #[must_use]
    pub fn new(im: Arc<Im>, service: Arc<Attachments>, handle: GateHandle) -> Self {
        Self {
            im,
            service,
            handle,
            uploads: Uploads::default(),
        }
    }

    /// Looks up who it is, and then asks for the first piece.
    fn begin_upload(&self, request: &HttpRequest) -> Result<(), Answer> {
        let token = bearer(request).ok_or_else(Answer::no_token)?;
        let headers = request.headers();
        let content_type = headers.get("content-type").unwrap_or_default();
        let form = match content_type.to_ascii_lowercase().starts_with("multipart/") {
            true => Some(Form::of(content_type).ok_or_else(Answer::no_form)?),
            false => None,
        };
        let bytes = headers.get("content-length");
        let announced = Announced {
            session: request.session,
            length: match bytes.and_then(|bytes| bytes.parse().ok()) {
                Some(bytes) if form.is_some() => Length::Form(bytes),
                Some(bytes) => Length::Known(bytes),
                None => Length::Unknown,
            },
            name: name::in_query(&request.query),
            form,
        };
        let stage = Arc::new(Mutex::new(Stage::Asking));
        self.uploads
            .lock()
            .insert(request.session, Arc::clone(&stage));
        let (service, handle) = (Arc::clone(&self.service), self.handle.clone());
        let uploads = Arc::clone(&self.uploads);
        self.im.accounts().authenticate(token, None, move |who| {
            let session = announced.session;
            let job = |place| {
                let (service, handle) = (Arc::clone(&service), handle.clone());
                let uploads = Arc::clone(&uploads);
                move || announced.begin(&service, place, &stage, &uploads, &handle)
            };
            let taken = match who.map(|who| service.enter(who.account.id)) {
                Ok(Some(place)) => match service.submit(job(place)) {
                    true => Ok(()),
                    false => Err(Answer::busy()),
                },
                Ok(None) => Err(Answer::busy()),
                Err(refusal) => Err(Answer::from(refusal)),
            };
            if let Err(answer) = taken {
                end(&uploads, &handle, session, answer.into());
            }
        });
        Ok(())
    }

    /// Looks up what is at an address, and then sends it.
    fn begin_download(&self, request: HttpRequest) -> Result<(), Answer> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Err(Answer::wrong_method());
        }
        let address = self.service.check(&request.path, &request.query);
        let address = address.ok_or_else(Answer::bad_address)?;
        let (service, handle) = (Arc::clone(&self.service), self.handle.clone());
        let find = FindAttachment {
            id: address.id,
            user: None,
        };
        self.service.store().look_up(find, move |found| {
            let session = request.session;
            let job = |found| {
                let (service, handle) = (Arc::clone(&service), handle.clone());
                move || {
                    let sent = download::answer(&service, &handle, &request, address, &found);
                    if let Err(error) = sent {
                        let answer = Answer::from(UploadError::Disk(error));
                        handle.respond(session, answer.into());
                    }
                }
            };
            let taken = match found {
                Ok(found) if found.hash != address.hash => Err(Answer::bad_address()),
                Ok(found) => match service.submit(job(found)) {
                    true => Ok(()),
                    false => Err(Answer::busy()),
                },
                Err(refusal) => Err(Answer::from(refusal)),
            };
            if let Err(answer) = taken {
                handle.respond(session, answer.into());
            }
        });
        Ok(())
    }
}

impl Module for AttachmentModule {
    fn on_message(&mut self, _context: &mut Context<'_>, _envelope: Envelope<'_>) {}

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        let session = request.session;
        let begun = match request.path.starts_with(PREFIX) {
            true => self.begin_download(request),
            // What has a body comes as an upload.
            false => Err(Answer::empty()),
        };
        if let Err(answer) = begun {
            context.respond(session, answer.into());
        }
    }

    fn on_upload(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        if let Err(answer) = self.begin_upload(&request) {
            context.respond(request.session, answer.into());
        }
    }

    fn on_body(&mut self, _context: &mut Context<'_>, session: SessionId, piece: BodyPiece) {
        let Some(stage) = self.uploads.lock().get(&session).cloned() else {
            return;
        };
        let (uploads, handle) = (Arc::clone(&self.uploads), self.handle.clone());
        let taken = self
            .service
            .submit(move || take(&piece, session, &stage, &uploads, &handle));
        if !taken {
            end(&self.uploads, &self.handle, session, Answer::busy().into());
        }
    }

    fn on_upload_lost(&mut self, _: &mut Context<'_>, session: SessionId, _: CloseReason) {
        let stage = self.uploads.lock().remove(&session);
        // Its file is removed with it, for which a worker should not wait.
        let _ = self.service.submit(move || drop(stage));
    }
}

/// What is known of an upload before anything of it is read.
#[derive(Debug)]
struct Announced {
    session: SessionId,
    length: Length,
    name: String,
    form: Option<Form>,
}

impl Announced {
    /// It is known who uploads: asks for the first piece if there is room, in a thread that may
    /// wait for the disk.
    fn begin(
        self,
        service: &Arc<Attachments>,
        mut place: Place,
        stage: &Mutex<Stage>,
        uploads: &Uploads,
        handle: &GateHandle,
    ) {
        let upload = service
            .reserve(&mut place, self.length)
            .and_then(|()| Upload::begin(service, place, self.name, self.form));
        match upload {
            Ok(upload) => {
                *stage.lock() = Stage::Taking(Box::new(upload));
                handle.read_body(self.session);
            }
            Err(error) => end(uploads, handle, self.session, Answer::from(error).into()),
        }
    }
}

/// Takes a piece of an upload, in a thread that may wait for the disk.
fn take(
    piece: &BodyPiece,
    session: SessionId,
    stage: &Mutex<Stage>,
    uploads: &Uploads,
    handle: &GateHandle,
) {
    let mut stage = stage.lock();
    let Stage::Taking(upload) = &mut *stage else {
        return;
    };
    let written = upload.write(&piece.bytes);
    if written.is_ok() && !piece.last {
        handle.read_body(session);
        return;
    }
    let Stage::Taking(upload) = std::mem::replace(&mut *stage, Stage::Over) else {
        return;
    };
    // Its place is free before the answer comes: the next upload may be there at once.
    let finished = match written {
        Ok(()) => upload.finish(),
        Err(error) => {
            drop(upload);
            Err(error)
        }
    };
    let answer = match finished {
        Ok(view) => created(&view),
        Err(error) => Answer::from(error).into(),
    };
    end(uploads, handle, session, answer);
}

/// Answers, and forgets the upload before the next request can come.
fn end(uploads: &Uploads, handle: &GateHandle, session: SessionId, response: Response) {
    let stage = uploads.lock().remove(&session);
    handle.respond(session, response);
    drop(stage);
}

fn created(view: &View) -> Response {
    let body = serde_json::to_vec(view).expect("a view has string keys");
    reply::guarded(Response::json(201, body))
}
