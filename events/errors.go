package events

import (
	"errors"
	"fmt"
)

// Code is the kind of an [Error]. The same few codes are used by the Go API,
// the request API over NATS and the command line's exit status.
type Code string

// The codes, and what a caller can conclude from each.
const (
	CodeNotFound       Code = "not_found"       // the named thing does not exist
	CodeAlreadyExists  Code = "already_exists"  // the named thing exists
	CodeInvalid        Code = "invalid"         // the command can never succeed as it is
	CodeTooLarge       Code = "too_large"       // the command or one of its events is over a limit
	CodeConflict       Code = "conflict"        // the thing is not in the state that the command expects
	CodeFenced         Code = "fenced"          // a newer owner (generation, producer epoch) took over
	CodeForbidden      Code = "forbidden"       // the caller may not do this
	CodeOutOfRange     Code = "out_of_range"    // a partition, offset, seq or time outside what exists
	CodeCorrupt        Code = "corrupt"         // stored data is damaged: nothing is guessed
	CodeOutcomeUnknown Code = "outcome_unknown" // the command may or may not have been done
	CodeUnavailable    Code = "unavailable"     // the command was not done; it may be tried again
)

// Error is an error with a code. Its message names the thing and the way out.
//
// errors.Is(err, ErrNotFound) holds for every error of that code, and for no
// other.
type Error struct {
	Code    Code
	Message string
	Err     error // the cause, or nil
}

// Sentinels, one a code, for errors.Is.
var (
	ErrNotFound       = &Error{Code: CodeNotFound, Message: "not found"}
	ErrAlreadyExists  = &Error{Code: CodeAlreadyExists, Message: "already exists"}
	ErrInvalid        = &Error{Code: CodeInvalid, Message: "invalid"}
	ErrTooLarge       = &Error{Code: CodeTooLarge, Message: "too large"}
	ErrConflict       = &Error{Code: CodeConflict, Message: "conflict"}
	ErrFenced         = &Error{Code: CodeFenced, Message: "fenced"}
	ErrForbidden      = &Error{Code: CodeForbidden, Message: "forbidden"}
	ErrOutOfRange     = &Error{Code: CodeOutOfRange, Message: "out of range"}
	ErrCorrupt        = &Error{Code: CodeCorrupt, Message: "corrupt"}
	ErrOutcomeUnknown = &Error{Code: CodeOutcomeUnknown, Message: "outcome unknown"}
	ErrUnavailable    = &Error{Code: CodeUnavailable, Message: "unavailable"}
)

// Errorf makes an [Error]. A %w verb sets its cause. Of a cause that has a code
// itself, the text is kept and what caused it, but not its code: a caller who is
// told that nothing was done must not find ErrOutcomeUnknown in the chain.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: withoutCode(errors.Unwrap(err))}
}

// withoutCode gives the first cause of err that has no code.
func withoutCode(err error) error {
	for {
		coded, ok := errors.AsType[*Error](err)
		if !ok {
			return err
		}
		err = coded.Err
	}
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of the first [Error] in err's chain. An error without
// one is [CodeUnavailable]: nothing is known but that it did not work.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeUnavailable
}
