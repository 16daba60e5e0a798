package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// age is a flag of a duration, in days too: 30d, 12h, 1d12h.
type age struct{ d *time.Duration }

func (a age) Set(s string) error {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	*a.d = time.Duration(n) * 24 * time.Hour
	if err == nil && rest != "" {
		var more time.Duration
		more, err = time.ParseDuration(rest)
		*a.d += more
	}
	if err != nil || *a.d <= 0 {
		return fmt.Errorf("%q is no age, such as 30d or 12h", s)
	}
	return nil
}

func (a age) String() string {
	if *a.d == 0 {
		return ""
	}
	return a.d.String()
}
func (a age) Type() string { return "age" }

// size is a flag of a number of bytes: 1048576, 512MiB, 1GB.
type size struct{ bytes *int64 }

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

func (z size) Set(s string) error {
	number, factor := s, 1.0
	for _, unit := range sizeUnits {
		if cut, ok := strings.CutSuffix(s, unit.name); ok {
			number, factor = strings.TrimSpace(cut), unit.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if bytes := n * factor; err == nil && bytes > 0 && bytes < math.MaxInt64 {
		*z.bytes = int64(bytes)
		return nil
	}
	return fmt.Errorf("%q is no size, such as 512MiB or 1GiB", s)
}

func (z size) String() string {
	if *z.bytes == 0 {
		return ""
	}
	return strconv.FormatInt(*z.bytes, 10)
}
func (z size) Type() string { return "size" }

// plural is a number of things: 1 event, 2 events.
func plural[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// sizeText is a number of bytes for people.
func sizeText(bytes int64) string {
	text := fmt.Sprintf("%d B", bytes)
	for _, unit := range sizeUnits[:4] {
		if float64(bytes) >= unit.bytes {
			text = fmt.Sprintf("%.1f %s", float64(bytes)/unit.bytes, unit.name)
		}
	}
	return text
}
