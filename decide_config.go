package metalog

import (
	"maps"
	"slices"
	"strconv"

	"github.com/metalog/metalog/events"
)

// SetConfig sets keys of a scope's config; other keys stay. A topic's config is
// the same one that [CreateTopic] and [UpdateTopic] give.
type SetConfig struct {
	Scope  events.EntityRef `json:"scope" require:"true"`
	Config events.Config    `json:"config" require:"true"`
}

// DeleteConfig takes keys out of a scope's config.
type DeleteConfig struct {
	Scope events.EntityRef `json:"scope" require:"true"`
	Keys  []string         `json:"keys,omitempty"` // none: all
}

func (SetConfig) Op() string    { return "config.set" }
func (DeleteConfig) Op() string { return "config.delete" }

func (c SetConfig) validate() error {
	var v checks
	v.scope(c.Scope)
	if len(c.Config) == 0 {
		v.fail("config", "is missing; give at least one key and value")
	}
	v.config("config", c.Config)
	return v.err
}

func (c DeleteConfig) validate() error {
	var v checks
	v.scope(c.Scope)
	for _, key := range c.Keys {
		v.configKey("keys", key)
	}
	return v.err
}

func (c *checks) scope(scope events.EntityRef) {
	switch scope.Kind {
	case events.KindCluster:
	case events.KindTopic:
		c.topicName("scope", scope.ID)
	case events.KindGroup:
		c.text("scope", scope.ID, MaxGroupIDBytes)
	case events.KindBroker:
		if _, err := brokerID(scope.ID); err != nil {
			c.fail("scope", "%q is no broker id", scope.ID)
		}
	default:
		c.fail("scope", "%q has no config; it is cluster, topic/NAME, broker/ID or group/ID", scope)
	}
}

func brokerID(s string) (int32, error) {
	id, err := strconv.ParseUint(s, 10, 31)
	return int32(id), err
}

func (c SetConfig) decide(d *decision) error {
	scope, current, err := d.config(c.Scope)
	if err != nil {
		return err
	}
	changed := events.Config{}
	for key, value := range c.Config {
		if old, ok := current[key]; !ok || old != value {
			changed[key] = value
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := fitsEvent(scope, current, changed); err != nil {
		return err
	}
	d.emit(&events.ConfigSet{Scope: scope, Config: changed})
	return nil
}

// fitsEvent keeps a scope's config as a whole to the size of an event: one event
// must be able to tell of its end, in a cascade too.
func fitsEvent(scope events.Scope, current, changed events.Config) error {
	whole := events.Config{}
	maps.Copy(whole, current)
	maps.Copy(whole, changed)
	size, err := payloadSize(&events.ConfigSet{Scope: scope, Config: whole})
	if err == nil && size > events.MaxEventBytes {
		err = events.Errorf(events.CodeTooLarge, "config of %s: it would take %d bytes, the limit is %d; delete keys first", scope.Of, size, events.MaxEventBytes)
	}
	return err
}

func (c DeleteConfig) decide(d *decision) error {
	scope, current, err := d.config(c.Scope)
	if err != nil {
		return err
	}
	keys := slices.Clone(c.Keys)
	if len(keys) == 0 {
		for key := range current {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if _, ok := current[key]; !ok {
			return events.Errorf(events.CodeNotFound, "config of %s: key %q is not set; 'metalog config list' shows those that are", c.Scope, key)
		}
	}
	if slices.Sort(keys); len(keys) > 0 {
		d.emit(&events.ConfigDeleted{Scope: scope, Keys: slices.Compact(keys)})
	}
	return nil
}

// config resolves a scope whose owner must exist, and reads its config.
func (d *decision) config(of events.EntityRef) (events.Scope, events.Config, error) {
	scope, err := resolveScope(d.view, of)
	if err != nil {
		return scope, nil, err
	}
	entry, err := d.view.Config(scope)
	if err != nil {
		return scope, nil, err
	}
	return scope, entry.Config, d.expect("config of "+of.String(), entry.Revision)
}
