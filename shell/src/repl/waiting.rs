//! A line that tells a person how long a statement has been running; it goes away with the statement.

use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Shorter statements show nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The line; erased by [`Waiting::end`].
pub(super) struct Waiting {
    task: Option<JoinHandle<()>>,
}

impl Waiting {
    /// A line on standard error, if `shown`.
    pub(super) fn begin(runtime: &Handle, shown: bool) -> Waiting {
        let task = shown.then(|| {
            runtime.spawn(async {
                tokio::time::sleep(PATIENCE).await;
                for seconds in PATIENCE.as_secs().. {
                    eprint!("\r running {seconds} s   ^C cancels ");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            })
        });
        Waiting { task }
    }

    /// Erases the line, if it was drawn.
    pub(super) fn end(self, runtime: &Handle) {
        let Some(task) = self.task else { return };
        task.abort();
        // After this the task draws no more.
        let ended = runtime.block_on(task);
        if ended.is_err() {
            eprint!("\r\x1b[K");
        }
    }
}
