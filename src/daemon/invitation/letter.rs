//! The words of an invitation: a draft that somebody looks at and sends, or a mail.

use crate::config::MailServer;
use crate::store::StoredInvitation;
use chrono::DateTime;
use lettre::Message;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Date, From, Header, HeaderName, HeaderValue,
    MIME_VERSION_1_0, Subject, To,
};
use lettre::message::{Body, Mailbox, Mailboxes, SinglePart};
use std::error::Error;
use std::time::{Duration, SystemTime};

const SUBJECT: &str = "Set your password";

/// Tells mail programs to open a file for editing instead of showing it as a received mail.
#[derive(Clone)]
struct UnsentHeader;

impl Header for UnsentHeader {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Unsent")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "1".to_owned())
    }
}

fn text(invitation: &StoredInvitation, link: &str) -> String {
    let until = invitation
        .expires_at
        .and_then(DateTime::from_timestamp_millis)
        .map(|time| time.format(" until %Y-%m-%d %H:%M UTC").to_string());
    format!(
        "Hello {},\r\n\r\n\
         you are invited to log in. Open this link to set your password:\r\n\r\n\
         {link}\r\n\r\n\
         The link works once{}. If you did not expect this mail, ignore it.\r\n",
        invitation.name,
        until.unwrap_or_default()
    )
}

/// The address of the person, if mail can be sent to it.
fn recipient(invitation: &StoredInvitation) -> Result<Mailbox, String> {
    let email = invitation.email.as_deref().unwrap_or_default();
    let address = email
        .parse()
        .map_err(|_| "the e-mail address of the user cannot be used in a mail".to_owned())?;
    Ok(Mailbox::new(Some(invitation.name.clone()), address))
}

/// Returns the text of an `.eml` file. Without a usable address, whoever sends it adds one.
pub(super) fn draft(invitation: &StoredInvitation, link: &str, from: Option<&str>) -> String {
    let millis = u64::try_from(invitation.created_at).unwrap_or_default();
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    let mut part = SinglePart::builder()
        .header(UnsentHeader)
        .header(Date::new(date))
        .header(Subject::from(SUBJECT.to_owned()))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN);
    if let Some(from) = from.and_then(|from| from.parse::<Mailbox>().ok()) {
        part = part.header(From::from(Mailboxes::from(from)));
    }
    if let Ok(to) = recipient(invitation) {
        part = part.header(To::from(Mailboxes::from(to)));
    }
    // As it is: a person reads the file, and a folded link would be no link.
    let body = text(invitation, link).into_bytes();
    let encoding = if body.is_ascii() {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::EightBit
    };
    let part = part.body(Body::dangerous_pre_encoded(body, encoding));
    String::from_utf8_lossy(&part.formatted()).into_owned()
}

/// The mail with an invitation. Every attempt has the same Message-ID, so that a mail that arrived
/// before a lost connection is not shown twice.
pub(super) fn message(
    server: &MailServer,
    invitation: &StoredInvitation,
    link: &str,
) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let to = recipient(invitation)?;
    let mut text = text(invitation, link);
    let reached = match &server.redirect {
        Some(redirect) => {
            let note =
                format!("\r\nThis mail was addressed to {to}; `mail.redirect` sent it here.\r\n");
            text += &note;
            redirect.parse()?
        }
        None => to,
    };
    let message = Message::builder()
        .from(server.from.parse()?)
        .to(reached)
        .message_id(Some(server.message_id(&invitation.id)))
        .subject(SUBJECT)
        .header(ContentType::TEXT_PLAIN);
    Ok(message.body(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::InvitationState;

    #[test]
    fn a_draft_is_a_mail_to_the_person_with_the_whole_link() {
        let mut invitation = StoredInvitation {
            id: "i-1".to_owned(),
            user: "britta".to_owned(),
            email: Some("britta@dalarna.example".to_owned()),
            name: "Britta Öhman".to_owned(),
            created_at: 1_777_636_800_000,
            expires_at: Some(1_778_241_600_000),
            state: InvitationState::Open,
        };
        let link = format!("https://{}/invitation/token", "long.".repeat(30));
        let mail = draft(&invitation, &link, Some("Shop <shop@example.com>"));
        for part in [
            "X-Unsent: 1\r\n",
            "From: Shop <shop@example.com>\r\n",
            "<britta@dalarna.example>\r\n",
            "Content-Transfer-Encoding: 8bit\r\n",
            "Hello Britta Öhman,\r\n",
            "until 2026-05-08 12:00 UTC",
            &format!("\r\n{link}\r\n"),
        ] {
            assert!(mail.contains(part), "{part}: {mail}");
        }
        invitation.email = None;
        let mail = draft(&invitation, &link, None);
        assert!(!mail.contains("To:") && !mail.contains("From:"), "{mail}");
    }
}
