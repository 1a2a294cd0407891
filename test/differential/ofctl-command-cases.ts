/** Command lines that both ofctls are given, one after the other. `!` before a line: only to bring the switch into a state. */
export const commandLines: readonly string[] = `
show br0
-O OpenFlow11 show br0
-O OpenFlow13 show br0
-O OpenFlow14 show br0
-O OpenFlow15 show br0
dump-desc br0
-O OpenFlow13 dump-desc br0
dump-tables br0
-O OpenFlow11 dump-tables br0
-O OpenFlow12 dump-tables br0
-O OpenFlow13 dump-tables br0
dump-table-desc br0
-O OpenFlow14 dump-table-desc br0
-O OpenFlow15 dump-table-desc br0
get-frags br0
set-frags br0 foo
set-frags br0 reassemble
dump-ports br0
-O OpenFlow13 dump-ports br0
dump-ports br0 1
dump-ports br0 p2
dump-ports br0 zz
dump-ports-desc br0
-O OpenFlow13 dump-ports-desc br0
-O OpenFlow15 dump-ports-desc br0 1
! del-flows br0
! del-groups br0
! -O OpenFlow15 add-flow br0 priority=5,in_port=1,cookie=7,idle_timeout=50,importance=3,send_flow_rem,actions=2
! add-flow br0 table=3,tcp,tp_dst=80,actions=mod_nw_tos:4,output:3
! add-flow br0 reg0=5,actions=load:1->NXM_NX_REG1[],resubmit(,3)
dump-flows br0
-O OpenFlow11 dump-flows br0
-O OpenFlow12 dump-flows br0
-O OpenFlow13 dump-flows br0
-O OpenFlow14 dump-flows br0
-O OpenFlow15 dump-flows br0
dump-flows br0 table=3
dump-flows br0 tcp
dump-flows br0 out_port=2
dump-flows br0 cookie=7/-1
--no-stats dump-flows br0
--names dump-flows br0
--sort dump-flows br0
--rsort=in_port dump-flows br0
--sort=foo dump-flows br0
-O OpenFlow13 --no-stats dump-flows br0
dump-aggregate br0
-O OpenFlow13 dump-aggregate br0
-O OpenFlow15 dump-aggregate br0 tcp
dump-aggregate br0 table=3
-F openflow10 dump-flows br0
-F nxm dump-flows br0
-F openflow10 dump-flows br0 reg0=1
-F nxm add-flow br0 actions=drop
dump-flows br0 foo=1
dump-flows br0 priority=3
queue-stats br0
-O OpenFlow13 queue-stats br0
queue-stats br0 1 2
queue-stats br0 zz
queue-get-config br0
queue-get-config br0 1
-O OpenFlow14 queue-get-config br0
-O OpenFlow14 queue-get-config br0 1
-O OpenFlow13 queue-get-config br0
! -O OpenFlow13 add-group br0 group_id=1,type=all,bucket=output:1
dump-groups br0
-O OpenFlow13 dump-groups br0
-O OpenFlow15 dump-groups br0 1
dump-group-stats br0
-O OpenFlow13 dump-group-stats br0
-O OpenFlow13 dump-group-stats br0 group_id=1
dump-group-features br0
-O OpenFlow12 dump-group-features br0
-O OpenFlow15 dump-group-features br0
add-group br0 group_id=1,type=all,bucket=output:1
-O OpenFlow15 add-group br0 group_id=1,type=all,bucket=output:1
add-group br0 type=all
add-group br0 group_id=3
add-group br0 group_id=3,type=foo
add-group br0 foo=1
add-group br0 group_id=6,type=all,bucket=foo
mod-group br0 group_id=9,type=all
--may-create mod-group br0 group_id=19,type=all
-O OpenFlow15 remove-buckets br0 group_id=1,command_bucket_id=77
-O OpenFlow15 insert-buckets br0 group_id=1,bucket=bucket_id:1,actions=1
del-groups br0 group_id=9
! -O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=5
add-meter br0 meter=1,kbps,band=type=drop,rate=5
-O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=5
-O OpenFlow13 dump-meters br0
-O OpenFlow14 dump-meters br0 meter=1
-O OpenFlow13 meter-stats br0
-O OpenFlow15 meter-stats br0 meter=1
-O OpenFlow13 meter-features br0
-O OpenFlow13 mod-meter br0 meter=1,kbps,burst,band=type=drop,rate=6,burst_size=7
-O OpenFlow13 mod-meter br0 meter=7,kbps,band=type=drop,rate=6
-O OpenFlow13 add-meter br0 meter=1
-O OpenFlow13 add-meter br0 meter=x,kbps,band=type=drop,rate=1
-O OpenFlow13 add-meter br0 meter=3,foo=1,band=type=drop,rate=1
-O OpenFlow13 add-meter br0 meter=3,kbps,band=rate=5
-O OpenFlow13 add-meter br0 meter=3,kbps,pktps,band=type=drop,rate=1
-O OpenFlow13 add-meter br0 meter=3,band=type=drop,rate=1
-O OpenFlow13 dump-meters br0 foo=1
-O OpenFlow13 del-meters br0 meter=1
mod-port br0 p9 up
mod-port br0 p1 foo
mod-port br0 p1 no-flood
mod-port br0 p1 flood
-O OpenFlow14 mod-port br0 1 up
mod-table br0 0 drop
-O OpenFlow14 mod-table br0 0 evict
-O OpenFlow14 mod-table br0 0 noevict
-O OpenFlow14 mod-table br0 x evict
-O OpenFlow14 mod-table br0 0 foo
-O OpenFlow14 mod-table br0 0 vacancy:80,20
-O OpenFlow14 mod-table br0 0 vacancy:20,80
-O OpenFlow14 mod-table br0 0 controller
-O OpenFlow11 mod-table br0 0 controller
probe br0
ping br0
ping br0 5
benchmark br0 10 10
packet-out br0 1 output:2 ffff
packet-out br0 1 output:2 ffffffffffff00000000000108000000
packet-out br0 in_port=1,packet=ffffffffffff00000000000108000000,actions=output:2
packet-out br0 in_port=1,actions=output:2
packet-out br0 in_port=1,packet=zz,actions=output:2
dump-tlv-map br0
del-tlv-map br0
del-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0
dump-ipfix-bridge br0
dump-ipfix-flow br0
ct-flush-zone br0 zz
ct-flush-zone br0 5
ct-flush br0
ct-flush br0 zone=5
ct-flush br0 foo=1
ct-flush br0 ct_nw_src=1.2.3.4,ct_nw_proto=6,ct_tp_src=5
ct-flush br0 ct_nw_src=1.2.3.4,ct_ipv6_src=::1
ct-flush br0 ct_tp_src=5
ct-flush br0 a b c d e
bogus
show
show br0 extra
show /dev/null
show tcp:127.0.0.1:1
show unix:/nonexist
show foo:bar
-F bogus show br0
-O bogus show br0
-O OpenFlow13 -F nxm show br0
--bogus show br0
-Q show br0
--sort=foo
--read-only del-flows br0
--version
parse-flow in_port=1,actions=drop
-O OpenFlow13 parse-flow in_port=1,actions=drop
-F openflow10 parse-flow reg0=1,actions=drop
parse-flow reg0=1,actions=drop
parse-flow table=3,actions=drop
parse-flow actions=bogus
parse-flow foo=1,actions=drop
parse-flow in_port=1
parse-flow in_port=xx,actions=drop
parse-flow nw_src=1.2,actions=drop
parse-flow priority=99999,actions=drop
parse-flow cookie=zz,actions=drop
parse-flow cookie=1/1,actions=drop
parse-flow idle_timeout=zz,actions=drop
parse-flow priority,actions=drop
parse-flow out_port=3,actions=drop
parse-flow dl_src=zz,actions=drop
parse-flow 'tcp, tp_src=5 actions=output:3'
parse-flow tp_src=5,actions=drop
parse-flow eth_src=1:2:3:4:5:6/ff:ff:ff:00:00:00,actions=drop
-O OpenFlow11 parse-flow 'actions=push_vlan:0x8100,output:2'
add-flow br0 in_port=7,actions=group:99
-O OpenFlow13 add-flow br0 in_port=7,actions=group:99
-O OpenFlow13 add-flow br0 in_port=7,actions=meter:99
add-flow br0 table=255,actions=drop
add-flow br0 table=254,actions=drop
mod-flows br0 in_port=1
mod-flows br0 cookie=5,actions=drop
del-flows br0 cookie=5
del-flows br0 actions=drop
del-flows br0 priority=3
--strict del-flows br0 priority=3
add-flows br0 /nonexist
dump-flows br0
diff-flows br0 br0
! add-flow br0 tcp,actions=1
--bundle -O OpenFlow14 add-flow br0 in_port=3,actions=group:99
--bundle add-flow br0 in_port=3,actions=group:99
ofp-print 0100000800000001
ofp-print 01000008
ofp-print zz
`
  .trim()
  .split('\n');
