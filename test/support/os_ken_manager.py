"""Runs os-ken with applications that its later releases do not have: the first argument is the older release's folder."""
import sys

import eventlet.wsgi
import os_ken.app
import os_ken.cmd
import ovs.db.idl

if not hasattr(eventlet.wsgi, 'ALREADY_HANDLED'):
    # The applications' REST server names it; newer eventlets do without
    eventlet.wsgi.ALREADY_HANDLED = object()

if not hasattr(ovs.db.idl, '_uuid_to_row'):
    # os-ken's ovs-vsctl names it; newer libraries of Open vSwitch keep the rows elsewhere
    tables = {}
    make = ovs.db.idl.Idl.__init__

    def make_and_note(self, *args, **options):
        make(self, *args, **options)
        tables.update(self.tables)

    ovs.db.idl.Idl.__init__ = make_and_note
    ovs.db.idl._uuid_to_row = lambda atom, base: (
        tables[base.ref_table.name].rows.get(atom) if base.ref_table else atom
    )

older = sys.argv.pop(1)
os_ken.app.__path__.append(older + '/os_ken/app')
os_ken.cmd.__path__.insert(0, older + '/os_ken/cmd')

from os_ken.cmd.manager import main  # noqa: E402

main()
