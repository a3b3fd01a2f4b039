//! Values against the rules of their types.

use crate::{
    input::{InputError, Invalid},
    pointer,
    violation::Place,
};

/// Validates a value with garde, by the default of its context. `place` is where it was read.
///
/// ```
/// use buttress_sanitize::{Place, check_garde};
///
/// #[derive(garde::Validate)]
/// struct User {
///     #[garde(length(min = 3))]
///     name: String,
/// }
///
/// let error = check_garde(&User { name: "x".to_owned() }, Place::Body).unwrap_err();
/// assert_eq!(error.to_string(), "body /name: length is lower than 3");
/// ```
///
/// The pointers have the names of the type's fields. garde knows nothing of serde's `rename` (and
/// takes a `rename` of its own without using it, as of 0.23), so where the two differ, the client is
/// told a name that it has not sent.
/// What a rule of yours says is sent as it is: let it name no value.
///
/// # Errors
///
/// What is wrong, the first 64 of it.
#[cfg(feature = "garde")]
pub fn check_garde<T>(value: &T, place: Place) -> Result<(), InputError>
where
    T: garde::Validate<Context: Default> + ?Sized,
{
    let Err(report) = value.validate() else { return Ok(()) };
    let invalid = report.into_inner().into_iter().map(|(path, error)| Invalid {
        pointer: of_path(&path.to_string()),
        detail: error.message().to_owned(),
        rule: "invalid".to_owned(),
    });
    Err(InputError::invalid(invalid.collect(), place))
}

/// `a.b[0].c` is `/a/b/0/c`.
#[cfg(feature = "garde")]
fn of_path(path: &str) -> String {
    let mut out = String::new();
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        pointer::push_key(&mut out, part.strip_suffix(']').unwrap_or(part).as_bytes());
    }
    out
}

/// Validates a value with the crate validator. `place` is where it was read. The rule of each thing
/// that is wrong is its code. The pointers have the names of the type's fields, whatever serde
/// calls them.
///
/// ```
/// use buttress_sanitize::{Place, check_validator};
///
/// #[derive(validator::Validate)]
/// struct User {
///     #[validate(length(min = 3, message = "too short"))]
///     name: String,
/// }
///
/// let error = check_validator(&User { name: "x".to_owned() }, Place::Body).unwrap_err();
/// assert_eq!(error.to_string(), "body /name: too short");
/// ```
///
/// # Errors
///
/// What is wrong, the first 64 of it.
#[cfg(feature = "validator")]
pub fn check_validator<T>(value: &T, place: Place) -> Result<(), InputError>
where
    T: validator::Validate + ?Sized,
{
    let Err(errors) = value.validate() else { return Ok(()) };
    let mut invalid = Vec::new();
    collect(&errors, "", &mut invalid);
    Err(InputError::invalid(invalid, place))
}

/// In the order of the names: they come out of a map.
#[cfg(feature = "validator")]
fn collect(errors: &validator::ValidationErrors, above: &str, out: &mut Vec<Invalid>) {
    use validator::ValidationErrorsKind as Kind;

    let mut fields: Vec<_> = errors.errors().iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    for (name, kind) in fields {
        let mut at = above.to_owned();
        // What is wrong with the whole.
        if name != "__all__" {
            pointer::push_key(&mut at, name.as_bytes());
        }
        match kind {
            Kind::Struct(errors) => collect(errors, &at, out),
            Kind::List(items) => {
                for (index, errors) in items {
                    let mut at = at.clone();
                    pointer::push_key(&mut at, index.to_string().as_bytes());
                    collect(errors, &at, out);
                }
            }
            // Its parameters have the value that was sent.
            Kind::Field(all) => out.extend(all.iter().map(|error| Invalid {
                pointer: at.clone(),
                detail: match &error.message {
                    Some(message) => message.to_string(),
                    None => "not valid".to_owned(),
                },
                rule: error.code.to_string(),
            })),
        }
    }
}
