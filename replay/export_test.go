package replay

import "context"

// Reopen opens a kept file as a making does that is the only one, or not. It is nil
// if the file is of no use.
func (c *AsOf) Reopen(ctx context.Context, seq uint64) (*AsOfViews, error) {
	file, err := c.reopen(ctx, seq)
	if file == nil {
		return nil, err
	}
	return c.viewsOf(file), nil
}

// KeptBytes returns what the limit is compared with.
func (c *AsOf) KeptBytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
