//! The HTTP side: uploads come in pieces, downloads go out in pieces.

use std::sync::Arc;

use common::{CloseReason, SessionId};
use gate::{BodyPiece, Context, Envelope, GateHandle, HttpRequest, Module, Response};
use parking_lot::Mutex;

use super::address::PREFIX;
use super::answer::Answer;
use super::duty::{Duty, Stage, Uploads};
use super::multipart::Form;
use super::place::{Length, Place};
use super::service::Attachments;
use super::upload::{Upload, Whole};
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
        let service = Arc::clone(&self.service);
        let duty = self.duty(request.session);
        self.im.accounts().authenticate(token, None, move |who| {
            let place = match who.map(|who| service.enter(who.account.id)) {
                Ok(Some(place)) => place,
                Ok(None) => return duty.decline(),
                Err(refusal) => return duty.fail(refusal.into()),
            };
            let of = Arc::clone(&service);
            let begin = move |duty| announced.begin(&of, place, &stage, duty);
            service.submit_or(duty, begin, Duty::decline);
        });
        Ok(())
    }

    /// The duty to go on with an upload.
    fn duty(&self, session: SessionId) -> Duty {
        Duty::of_upload(self.handle.clone(), session, Arc::clone(&self.uploads))
    }

    /// Looks up what is at an address, and then sends it.
    fn begin_download(&self, request: HttpRequest) -> Result<(), Answer> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Err(Answer::wrong_method());
        }
        let address = self.service.check(&request.path, &request.query);
        let address = address.ok_or_else(Answer::bad_address)?;
        let (service, handle) = (Arc::clone(&self.service), self.handle.clone());
        let duty = Duty::of_download(handle.clone(), request.session);
        let find = FindAttachment {
            id: address.id,
            user: None,
        };
        self.service.store().look_up(find, move |found| {
            let found = match found {
                Ok(found) if found.hash == address.hash => found,
                Ok(_) => return duty.answer(Answer::bad_address()),
                Err(refusal) => return duty.fail(refusal.into()),
            };
            let of = Arc::clone(&service);
            let send =
                move |duty: Duty| match download::answer(&of, &handle, &request, address, &found) {
                    Ok(()) => duty.pass(),
                    Err(error) => duty.fail(error.into()),
                };
            service.submit_or(duty, send, Duty::decline);
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
        let service = Arc::clone(&self.service);
        let take = move |duty| take(&piece, &stage, &service, duty);
        self.service
            .submit_or(self.duty(session), take, Duty::decline);
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
    length: Length,
    name: String,
    form: Option<Form>,
}

impl Announced {
    /// It is known who uploads: asks for the first piece if there is room, in a thread that may
    /// wait for the disk.
    fn begin(self, service: &Arc<Attachments>, mut place: Place, stage: &Mutex<Stage>, duty: Duty) {
        let upload = service
            .reserve(&mut place, self.length)
            .and_then(|()| Upload::begin(service, place, self.name, self.form));
        match upload {
            Ok(upload) => {
                *stage.lock() = Stage::Taking(Box::new(upload));
                duty.read_on();
            }
            Err(error) => duty.fail(error),
        }
    }
}

/// Takes a piece of an upload, in a thread that may wait for the disk.
fn take(piece: &BodyPiece, stage: &Mutex<Stage>, service: &Arc<Attachments>, duty: Duty) {
    let mut stage = stage.lock();
    let Stage::Taking(upload) = &mut *stage else {
        return duty.pass();
    };
    let written = upload.write(&piece.bytes);
    if written.is_ok() && !piece.last {
        return duty.read_on();
    }
    let Stage::Taking(upload) = std::mem::replace(&mut *stage, Stage::Over) else {
        return duty.pass();
    };
    // Its place is free before the answer comes, for the next upload may be there at once.
    let whole = match written {
        Ok(()) => upload.finish(),
        Err(error) => {
            drop(upload);
            Err(error)
        }
    };
    match whole {
        Ok(whole) if whole.may_be_picture() => look(whole, service, duty),
        Ok(whole) => keep(whole, duty),
        Err(error) => duty.fail(error),
    }
}

/// Has the thread of pictures look at one, and then keeps it: what takes a processor must not have
/// the threads wait that others need for the disk.
fn look(whole: Whole, service: &Arc<Attachments>, duty: Duty) {
    let of = Arc::clone(service);
    let look = move |(mut whole, duty): (Whole, Duty)| match whole.look() {
        Ok(()) => of.submit_or((whole, duty), |(whole, duty)| keep(whole, duty), decline),
        Err(error) => {
            drop(whole);
            duty.fail(error);
        }
    };
    service.submit_picture((whole, duty), look, decline);
}

/// Makes an attachment of a file.
fn keep(whole: Whole, duty: Duty) {
    match whole.keep() {
        Ok(view) => duty.answer(created(&view)),
        Err(error) => duty.fail(error),
    }
}

/// There is no thread for a file that has come.
fn decline((whole, duty): (Whole, Duty)) {
    drop(whole);
    duty.decline();
}

fn created(view: &View) -> Response {
    let body = serde_json::to_vec(view).expect("a view has string keys");
    reply::guarded(Response::json(201, body))
}
