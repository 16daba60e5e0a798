package views

import (
	"iter"
	"strconv"

	"github.com/metalog/metalog/events"
)

// The kinds of scope, as the first byte of a config's key.
const (
	scopeCluster byte = 1 + iota
	scopeTopic        // topic id follows
	scopeBroker       // broker id follows
	scopeGroup        // group number follows
)

// configRow is the config of one scope, as it is stored.
type configRow struct {
	Scope    events.Scope  `cbor:"1,keyasint"`
	Config   events.Config `cbor:"2,keyasint,omitempty"` // no keys and nil are one row, as they are one event
	Revision uint64        `cbor:"3,keyasint"`
}

func (c configRow) entry() events.ConfigEntry {
	return events.ConfigEntry{Scope: c.Scope.Of, Config: c.Config, Revision: c.Revision}
}

func configKey(kind byte) key { return bucketConfigs.key().byte(kind) }

func scopeKey(scope events.Scope) (key, error) {
	switch scope.Of.Kind {
	case events.KindCluster:
		return configKey(scopeCluster), nil
	case events.KindTopic:
		return configKey(scopeTopic).uuid(scope.TopicID), nil
	case events.KindGroup:
		return configKey(scopeGroup).uint64(scope.GroupID), nil
	case events.KindBroker:
		id, err := strconv.ParseInt(scope.Of.ID, 10, 32)
		if err != nil {
			return nil, events.Errorf(events.CodeInvalid, "config of %s: the broker's id is not a number", scope.Of)
		}
		return configKey(scopeBroker).int32(int32(id)), nil
	default:
		return nil, events.Errorf(events.CodeInvalid, "config of %s: only cluster, topic/NAME, broker/ID and group/ID have one", scope.Of)
	}
}

// Config returns the config of a scope. It has revision 0 when nothing was ever
// set, or when its topic or group is gone.
func (r *Reader) Config(scope events.Scope) (events.ConfigEntry, error) {
	if ok, err := r.scopeReachable(scope); err != nil || !ok {
		return events.ConfigEntry{Scope: scope.Of}, err
	}
	return r.RawConfig(scope)
}

// RawConfig is Config, of a topic or group that is being purged too.
func (r *Reader) RawConfig(scope events.Scope) (events.ConfigEntry, error) {
	k, err := scopeKey(scope)
	if err != nil {
		return events.ConfigEntry{}, err
	}
	row, found, err := load[configRow](r, k)
	if err != nil || !found {
		return events.ConfigEntry{Scope: scope.Of}, err
	}
	return row.entry(), nil
}

// Configs yields the configs of all scopes that have one: the cluster's, then
// those of topics, brokers and groups.
func (r *Reader) Configs() iter.Seq2[events.ConfigEntry, error] {
	return collect(rowsOf[configRow](r, bucketConfigs.key()), func(row configRow) (events.ConfigEntry, bool, error) {
		ok, err := r.scopeReachable(row.Scope)
		return row.entry(), ok, err
	})
}

func (r *Reader) scopeReachable(scope events.Scope) (bool, error) {
	switch scope.Of.Kind {
	case events.KindTopic:
		return r.reachable(scope.TopicID)
	case events.KindGroup:
		return r.has(groupKey(scope.GroupID))
	default:
		return true, nil
	}
}

// PutConfig sets the config of a scope as a whole.
func (tx *Tx) PutConfig(scope events.Scope, config events.Config, revision uint64) error {
	k, err := scopeKey(scope)
	if err != nil {
		return err
	}
	return tx.save(k, configRow{scope, config, revision})
}

// DeleteConfig removes the config of a scope.
func (tx *Tx) DeleteConfig(scope events.Scope) error {
	k, err := scopeKey(scope)
	if err != nil {
		return err
	}
	return tx.remove(k)
}
