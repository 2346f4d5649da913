// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/netplan"
)

// network converts the annotation or the `--network` options. It runs after hostname, mounts
// and netDevices.
func (c *conversion) network() error {
	document, annotated := c.spec.Annotations[netplan.AnnotationNetwork]
	field := annotationField(netplan.AnnotationNetwork)
	var n *decode.Network
	var err error
	switch {
	case annotated && len(c.opts.Networks) > 0:
		return fault.New("--network", "the config.json has %s already", field)
	case annotated:
		n, err = netplan.Parse(field, document)
	case len(c.opts.Networks) > 0:
		field = "--network"
		n, err = netplan.ParseOptions(c.opts.Networks)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.mayHaveNetwork(field); err != nil {
		return err
	}
	w := &netplan.Plan{Field: field, Interfaces: field + ".interfaces"}
	if !annotated {
		w.Interfaces = field
	}
	w.Plan.Field = field
	if err := w.AddInterfaces(n.Interfaces, c.plan.NetDevices); err != nil {
		return err
	}
	if err := w.NameFiles(n, c.plan); err != nil {
		return err
	}
	c.plan.Network = &w.Plan
	return nil
}

// mayHaveNetwork refuses containers that do not have a new network namespace. In a joined one,
// others have their own interfaces and addresses, and when a container is deleted it would not
// be clear which interfaces belong to it.
func (c *conversion) mayHaveNetwork(field string) error {
	ns, ok := c.plan.Namespaces.Get(configs.NewNet)
	switch {
	case !ok:
		return fault.New(field, "needs a new network namespace: linux.namespaces has none of type network")
	case ns.Path != "":
		return fault.New(field, "needs a new network namespace: linux.namespaces joins %s", ns.Path)
	case c.unprivileged:
		return fault.New(field, "not supported for rootless containers: only root may connect a container with a bridge of the host")
	}
	return nil
}
