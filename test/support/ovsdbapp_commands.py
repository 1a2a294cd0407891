"""Works an Open vSwitch by ovsdbapp, over the socket that the first argument names, and prints what it saw as JSON."""
import json
import sys

from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.open_vswitch import impl_idl

idl = connection.OvsdbIdl.from_server(sys.argv[1], 'Open_vSwitch')
link = connection.Connection(idl=idl, timeout=10)
api = impl_idl.OvsdbIdl(link)
seen = {}

with api.transaction(check_error=True) as txn:
    txn.add(api.add_br('app0', datapath_type='netdev'))
    txn.add(api.add_port('app0', 'h1'))
    txn.add(api.db_set('Interface', 'h1', ('external_ids', {'owner': 'ovsdbapp'})))
    txn.add(api.set_fail_mode('app0', 'secure'))

seen['bridges'] = api.list_br().execute(check_error=True)
seen['ports'] = api.list_ports('app0').execute(check_error=True)
seen['owner'] = api.db_get('Interface', 'h1', 'external_ids').execute(check_error=True)['owner']
found = api.db_find('Bridge', ('name', '=', 'app0'), columns=['name', 'fail_mode']).execute(check_error=True)
seen['found'] = [row['name'] for row in found]
try:
    api.add_port('no-such-bridge', 'h2').execute(check_error=True)
    seen['error'] = None
except Exception as error:
    seen['error'] = type(error).__name__
api.del_br('app0').execute(check_error=True)
seen['left'] = api.br_exists('app0').execute(check_error=True)
print(json.dumps(seen))
