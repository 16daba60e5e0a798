package events

import (
	"fmt"
	"strconv"
	"strings"
)

// String gives the head as people note it: SEQ:HASH.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads the form of Head.String.
func ParseHead(s string) (h Head, err error) {
	seq, hash, ok := strings.Cut(s, ":")
	if ok {
		h.Seq, err = strconv.ParseUint(seq, 10, 64)
	}
	if ok && err == nil {
		err = h.Hash.UnmarshalText([]byte(hash))
	}
	if !ok || err != nil || h.Seq == 0 {
		return Head{}, Errorf(CodeInvalid, "head %q: want SEQ:HASH with the 64 hexadecimal digits of the hash, as 'metalog info' shows them", s)
	}
	return h, nil
}
