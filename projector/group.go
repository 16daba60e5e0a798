package projector

import (
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

func (a application) groupCreated(e *events.GroupCreated) error {
	return a.tx.PutGroup(events.Group{
		GroupRef: e.GroupRef, GroupInfo: e.GroupInfo,
		CreatedAt: a.time(), UpdatedAt: a.time(), Revision: a.seq(),
	})
}

func (a application) groupUpdated(e *events.GroupUpdated) error {
	group, err := a.tx.GroupByNumber(e.GroupID)
	if err != nil {
		return err
	}
	group.GroupInfo, group.UpdatedAt, group.Revision = e.GroupInfo, a.time(), a.seq()
	return a.tx.PutGroup(group)
}

// groupDeleted takes the group out of open transactions, too: no more of its
// offsets can become pending.
func (a application) groupDeleted(e *events.GroupDeleted) error {
	for t, err := range a.tx.TransactionGroupsOf(e.GroupID) {
		if err != nil {
			return err
		}
		if err := a.tx.DeleteTransactionGroup(t.Transaction.ProducerID, e.GroupID); err != nil {
			return err
		}
	}
	if err := a.tx.DeleteGroup(e.GroupID); err != nil {
		return err
	}
	return a.cascadeContinues(e.Continues, views.Cascade{Kind: events.CascadeGroupDelete, Group: e.GroupRef})
}
