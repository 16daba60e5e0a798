package command

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// lineReader reads the lines of an apply file that hold commands, in constant
// memory however long a line is.
type lineReader struct {
	in      *bufio.Reader
	number  int            // of the line that next returned last, from 1
	comment func(b []byte) // told of each comment
}

func newLineReader(in io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, metalog.MaxCommandBytes+len("\r\n")), comment: func([]byte) {}}
}

// next returns the next line that is neither empty nor a comment, until the next
// call. A line over metalog.MaxCommandBytes is ErrTooLarge, and reading goes on
// after it. It is io.EOF at the end.
func (r *lineReader) next() ([]byte, error) {
	for {
		r.number++
		line, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, r.skip()
		case err == io.EOF && len(line) == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0:
		case line[0] == '#':
			r.comment(line)
		default:
			return line, nil
		}
	}
}

// skip reads the rest of a line that is too long, and returns the error for it.
func (r *lineReader) skip() error {
	for {
		_, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && err != io.EOF:
			return err
		}
		return events.Errorf(events.CodeTooLarge, "the line has more than %d bytes; split the command", metalog.MaxCommandBytes)
	}
}
