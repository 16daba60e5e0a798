package archive

import "context"

// Sweep removes what does not count: writes that a crash left unfinished, data files
// without a manifest, bases that were replaced, and what was pruned. Of files that
// nobody needs it touches those only whose records the log has, from logFirst on, or
// that are before the archive's first.
func (a *Archive) Sweep(ctx context.Context, logFirst uint64) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.place.Sweep(ctx, isOurs); err != nil {
		return err
	}
	items, err := a.place.List(ctx, "")
	if err != nil {
		return err
	}
	waste := a.waste(items, logFirst)
	return a.place.Remove(ctx, waste...)
}

// isOurs reports whether a file of that name is one of an archive.
func isOurs(file string) bool {
	_, suffix, ok := parseName(file)
	return file == stateFile || isBase(file) || ok && (suffix == dataSuffix || suffix == manifestSuffix)
}

// waste returns the names of files that can go, manifests before what they are of.
func (a *Archive) waste(items []Item, logFirst uint64) []string {
	state := a.State()
	manifests := map[name]bool{}
	for _, item := range items {
		if n, suffix, ok := parseName(item.Name); ok && suffix == manifestSuffix {
			manifests[n] = true
		}
	}
	var names, data []string
	for _, item := range items {
		n, suffix, ok := parseName(item.Name)
		pruned := ok && n.last < state.First
		switch {
		case pruned && suffix == manifestSuffix:
			names = append(names, item.Name)
		case pruned, ok && suffix == dataSuffix && !manifests[n] && n.first >= logFirst:
			data = append(data, item.Name)
		case isBase(item.Name) && (state.Base == nil || item.Name != state.Base.File):
			data = append(data, item.Name)
		}
	}
	return append(names, data...)
}
