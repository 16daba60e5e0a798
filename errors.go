package metalog

import "github.com/metalog/metalog/events"

// Error is every error that the store returns for a command or a read. See
// [events.Code] for what each code means.
type Error = events.Error

// One sentinel a code, for errors.Is.
var (
	ErrNotFound       = events.ErrNotFound
	ErrAlreadyExists  = events.ErrAlreadyExists
	ErrInvalid        = events.ErrInvalid
	ErrTooLarge       = events.ErrTooLarge
	ErrConflict       = events.ErrConflict
	ErrFenced         = events.ErrFenced
	ErrForbidden      = events.ErrForbidden
	ErrOutOfRange     = events.ErrOutOfRange
	ErrCorrupt        = events.ErrCorrupt
	ErrOutcomeUnknown = events.ErrOutcomeUnknown
	ErrUnavailable    = events.ErrUnavailable
)

// fieldError says what is wrong with a field of a command.
func fieldError(field, format string, args ...any) error {
	err := events.Errorf(events.CodeInvalid, format, args...)
	err.Message = field + ": " + err.Message
	return err
}
