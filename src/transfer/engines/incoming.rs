//! What others share with the source: they share it to the recipient, too, where that was asked for.
//! The source keeps it.

use super::Task;
use crate::nextcloud::ocs::ShareType;
use crate::transfer::Error;
use crate::transfer::effect::Effect;
use crate::transfer::model::Incoming;
use crate::transfer::site::Who;

/// Shares it all, as its owners.
pub(super) async fn reshare(task: &mut Task<'_>) -> Result<(), Error> {
    let request = &task.plan.request;
    let (Incoming::Reshare, Some(recipient)) = (request.incoming, request.recipient.clone()) else {
        return Ok(());
    };
    let received = task.world.ocs(&task.source())?.shared_with_me().await?;
    let has = task.world.ocs(&Who::here(&recipient))?.shared_with_me().await?;
    for share in received {
        let step = format!("incoming/{}", share.id);
        let inside = matches!(share.share_type, ShareType::User | ShareType::Group);
        let known = has.iter().any(|other| other.file_source == share.file_source);
        if !inside || share.uid_file_owner == recipient {
            continue;
        }
        // What the recipient has already is not ours to take away again.
        if known && task.journal.begun(&step).is_none() {
            continue;
        }
        let (id, owner) = (share.id, share.uid_file_owner);
        task.step(&step, Effect::Reshare { id, owner, with: recipient.clone() }).await?;
    }
    Ok(())
}
