package crash

import (
	"strings"
	"testing"

	"github.com/metalog/metalog/events"
)

// The checker itself must see what it is there for.
func TestHistoryFinds(t *testing.T) {
	hashes := []events.Hash{{1}, {2}, {3}}
	log := func(seqs map[commandID][]uint64) contents { return contents{seqs: seqs, hashes: hashes} }
	at := func(seqs ...uint64) contents { return log(map[commandID][]uint64{{1, 7}: seqs}) }
	tests := map[string]struct {
		reports string
		log     contents
		want    string // part of the only problem; "": none
	}{
		"done":                        {"TRIED 1-7 0/DONE 1-7 2", at(2), ""},
		"unanswered, there":           {"TRIED 1-7 0", at(2), ""},
		"unanswered, not there":       {"TRIED 1-7 0", at(), ""},
		"unknown, there":              {"TRIED 1-7 0/UNKNOWN 1-7 0", at(3), ""},
		"refused":                     {"TRIED 1-7 0/REFUSED 1-7 0", at(), ""},
		"repeated":                    {"DONE 1-7 2/REPEATED 1-7 2", at(2), ""},
		"unanswered, then repeated":   {"TRIED 1-7 0/REPEATED 1-7 2", at(2), ""},
		"shown":                       {"SHOWN 2 " + hashes[1].String(), log(nil), ""},
		"lost":                        {"DONE 1-7 2", at(), "the log has it at []"},
		"moved":                       {"DONE 1-7 2", at(3), "the log has it at [3]"},
		"twice":                       {"TRIED 1-7 0", at(2, 3), "2 times"},
		"done twice":                  {"DONE 1-7 2", at(2, 3), "2 times"},
		"refused, there":              {"REFUSED 1-7 0", at(2), "was REFUSED"},
		"unavailable, there":          {"UNAVAILABLE 1-7 0", at(2), "was UNAVAILABLE"},
		"unchanged, there":            {"UNCHANGED 1-7 1", at(2), "was UNCHANGED"},
		"repeated with another seq":   {"DONE 1-7 2/REPEATED 1-7 3", at(2), "now it is REPEATED 3"},
		"repeated and done again":     {"DONE 1-7 2/DONE 1-7 3", at(3), "now it is DONE 3"},
		"repeated but never appended": {"TRIED 1-7 0/REPEATED 1-7 2", at(), "the log has it at []"},
		"given by nobody":             {"TRIED 1-8 0", at(2), "nobody gave it"},
		"shown beyond the end":        {"TRIED 1-7 0/SHOWN 4 " + hashes[0].String(), at(), "seq 4 was shown"},
		"shown, then another":         {"TRIED 1-7 0/SHOWN 2 " + hashes[0].String(), at(), "seq 2 was shown"},
		"answered beyond the end":     {"UNCHANGED 1-7 4", at(), "the log ends at 3"},
		"something failed":            {"TRIED 1-7 0/FAILED a read", at(), "a read"},
		"a report of another kind":    {"TRIED 1-7 0/DONE one two", at(), "report"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			for line := range strings.SplitSeq(test.reports, "/") {
				h.add(line)
			}
			problems := h.check(test.log)
			if test.want == "" && len(problems) > 0 {
				t.Errorf("problems where there are none: %q", problems)
			}
			if test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], test.want)) {
				t.Errorf("got %q, want one problem that has %q", problems, test.want)
			}
		})
	}
}

// What was done after a power cut need not be there, and what was refused must
// not be.
func TestHistoryAfterCut(t *testing.T) {
	h := newHistory()
	h.add("DONE 1-7 2")
	h.late = true
	for _, line := range []string{"DONE 1-8 3", "SHOWN 3 " + events.Hash{9}.String(), "UNCHANGED 1-9 3", "REFUSED 1-10 0"} {
		h.add(line)
	}
	log := contents{seqs: map[commandID][]uint64{{1, 7}: {2}}, hashes: []events.Hash{{1}, {2}}}
	if problems := h.check(log); len(problems) > 0 {
		t.Errorf("problems where there are none: %q", problems)
	}
	log.seqs = map[commandID][]uint64{{1, 10}: {2}}
	if problems := h.check(log); len(problems) != 2 {
		t.Errorf("got %q, want one for what is lost and one for what was refused", problems)
	}
}
