package command

import (
	"strings"
	"testing"

	"github.com/metalog/metalog"
)

// TestHelpListsEntities: what entities the help says there are, is what is taken.
func TestHelpListsEntities(t *testing.T) {
	s, err := metalog.Open(t.Context(), metalog.Options{Path: t.TempDir(), SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, ofBlame := s.Blame(t.Context(), "none", metalog.Point{})
	a := new(app)
	for _, c := range []struct {
		help string
		err  error
	}{
		{a.historyCommand().Long, ofBlame},
		{a.blameCommand().Long, ofBlame},
		{a.diffCommand().Long, metalog.DiffOptions{Entities: []string{"none"}}.Validate()},
	} {
		help := strings.Join(strings.Fields(c.help), " ")
		_, forms, _ := strings.Cut(c.err.Error(), "want ")
		list := strings.Split(strings.ReplaceAll(forms, " or ", ", "), ", ")
		if len(list) < 10 {
			t.Fatalf("no list of forms: %v", c.err)
		}
		for _, form := range list {
			if !strings.Contains(help, form) {
				t.Errorf("%q is not in the help:\n%s", form, c.help)
			}
		}
	}
}
