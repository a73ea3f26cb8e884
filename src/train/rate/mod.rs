//! How much is dropped, over a run: schedules of the rate, and a controller that follows the validation loss.

mod callback;
mod controller;
mod feedback;
mod layers;
mod moment;
mod schedule;
mod settings;
mod words;

pub use callback::RateCallback;
pub use controller::RateController;
pub use feedback::RateFeedback;
pub use moment::Moment;
pub use schedule::RateSchedule;
pub use settings::ControllerSettings;
