BEGIN TRANSACTION;
CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        action TEXT NOT NULL,
        outcome TEXT NOT NULL,
        key TEXT, -- NULL: a command
        user TEXT NOT NULL,
        command TEXT NOT NULL,
        cause TEXT NOT NULL,
        fields TEXT NOT NULL, -- one a line
        generation INTEGER NOT NULL,
        file TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        code INTEGER,
        seconds REAL NOT NULL
    );
INSERT INTO "audit" VALUES(1,1.79564040698890638354e+09,'create','done','File/default/old','root','p2 apply','edit','',1,'@ROOT@/state/old.yaml','','',NULL,0.0062);
INSERT INTO "audit" VALUES(2,1.79564040698890638354e+09,'create','done','File/default/page','root','p2 apply','edit','',1,'@ROOT@/state/site.yaml','','',NULL,0.0062);
INSERT INTO "audit" VALUES(3,1.79564040698890638354e+09,'create','done','File/default/paused','root','p2 apply','edit','',1,'@ROOT@/state/paused.yaml','','',NULL,0.0062);
INSERT INTO "audit" VALUES(4,1.79564040698890638354e+09,'create','done','File/default/notes','root','p2 apply','edit','',1,'@ROOT@/state/site.yaml','','',NULL,0.0062);
INSERT INTO "audit" VALUES(5,1.79564040698890638354e+09,'adopt','done','File/default/motd','root','p2 apply','edit','content',1,'@ROOT@/state/motd.yaml','','',NULL,0.0062);
INSERT INTO "audit" VALUES(6,1.79564040699685978884e+09,'apply','done',NULL,'root','p2 apply','','',0,'','','',0,0.1705);
INSERT INTO "audit" VALUES(7,1.79564040701639366153e+09,'update','done','File/default/page','root','p2 apply','edit','content',2,'@ROOT@/state/site.yaml','','',NULL,0.002);
INSERT INTO "audit" VALUES(8,1.79564040702115559574e+09,'apply','done',NULL,'root','p2 apply','','',0,'','','',0,0.0179);
INSERT INTO "audit" VALUES(9,1.79564040704031443592e+09,'apply','done',NULL,'root','p2 apply','','',0,'','','',0,0.0149);
INSERT INTO "audit" VALUES(10,1.79564040704928326607e+09,'suspend','done',NULL,'root','p2 suspend file/paused','','',0,'','','',0,0.0048);
CREATE TABLE begun (name TEXT PRIMARY KEY, process TEXT NOT NULL, entry TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE blob (digest BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "blob" VALUES(X'17F95F7D3ED9370F6D0629CA80327A87',X'78019D90310EC2300C45F79CC21728110C0C3E00336260B71A2B8D489CA8314501717752242446C4E0E17FBDE17D5309679E6BC88250D853BDD6DDC6F16297ADB90471088710D9245672A484F0104ADC59F2FC34B5F088067AD209C16A2AEBEDC96BD3FB626F798ECEAE6867C62CCAA20813C798813C0531C33018FA5341B272FDD1E1CD7E4BA4069FCE7164ED0F38E618C68670EA5BBBDA0B096861DA');
INSERT INTO "blob" VALUES(X'6ADAD2633EEE3DE54420ED2374E5E8B0',X'780125CABB0D42310C40D1DE5378022228283C0023D05BB1F588C84FB15F1020762788E216573ADCD35587A55609BB6E6CBB9D0EA233CC23DC5315C24BCA0A459D859D09DF958B2ECBBBA97CC0BA46025CEF37C2E0A5FF3AF3E64F7FCDF068234BF8E3A562ABAED509D95034661E2AF005E8912DF4');
INSERT INTO "blob" VALUES(X'B8C7AE6F1B9ADA7FC1EB01BF047B9889',X'78019D8F310A02311045FB39C55C600D5A58CC01ACC5C27ED80CBBC1641236E3CA2ADEDDAC20588AC52FFEE7C1E3730967996AC84A5864E07AADBB8D97D9CD5BB804F58487100592187B36267C2827692C0FF2845AA427C0D66C247496CA9A3D0FB6D87D76B73C45EF56B4317D561335C25162CCD0751DF09F72CD26F547FB9BFDD6A7053F9B9728D6AE1F730CFD42786A2F83C20BBACF5FBA');
INSERT INTO "blob" VALUES(X'E6665C7AE8B6520A349904CC71548D56',X'78011D8D310E02310C04FBBCC22F208282C20FA04614F4566C1D1689135D4CD081F83B81628B956676A9E955D6AED5109A2CD41FFDB0631971ECC35D8D114E9A251471627242781B1541A8993FA1374918001AF90D217A69BF1C69F1CD5F233EEB9A394E7222A99A8BF95F9C95258BCFD373CD9A3684CBDC570B5FD9FF3150');
INSERT INTO "blob" VALUES(X'EFAE05862D989D37C94CDC1EF07F65E9',X'780115CA310EC2300C40D13DA7F009886060F001384277ABB64A44135B8913041577271DFEF0A44F9616A92D694130D9A8F576BBB08C38AEE1950A233CD22E218B139313C251280B4256E75F68262B0600237F2244CF7676A7CD3FFE1DF1AD75E778AEF359B5B81447D05EDB34B1DA94D72EE10F651C2E75');
CREATE TABLE brake (
        reason TEXT PRIMARY KEY,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        at REAL NOT NULL
    ) WITHOUT ROWID
    ;
CREATE TABLE confirmed (key TEXT PRIMARY KEY, source TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE deed (
        number INTEGER NOT NULL,
        key TEXT NOT NULL,
        action TEXT NOT NULL,
        fields TEXT NOT NULL, -- one a line, without values
        result TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (number, key)
    ) WITHOUT ROWID
    ;
INSERT INTO "deed" VALUES(1,'File/default/motd','adopt','content','done','');
INSERT INTO "deed" VALUES(1,'File/default/notes','create','','done','');
INSERT INTO "deed" VALUES(1,'File/default/old','create','','done','');
INSERT INTO "deed" VALUES(1,'File/default/page','create','','done','');
INSERT INTO "deed" VALUES(1,'File/default/paused','create','','done','');
INSERT INTO "deed" VALUES(2,'File/default/page','update','content','done','');
CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT, -- rises with `at`
        key TEXT,
        at REAL NOT NULL,
        level TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        count INTEGER NOT NULL,
        first REAL NOT NULL
    );
INSERT INTO "event" VALUES(1,'File/default/old',1.79564040698988437649e+09,'Normal','Created','as declared',1,1.79564040698988437649e+09);
INSERT INTO "event" VALUES(2,'File/default/old',1.7956404069900720119e+09,'Normal','Converged','as declared',1,1.7956404069900720119e+09);
INSERT INTO "event" VALUES(3,'File/default/page',1.79564040699014902113e+09,'Normal','Created','as declared',1,1.79564040699014902113e+09);
INSERT INTO "event" VALUES(4,'File/default/page',1.79564040699018526072e+09,'Normal','Converged','as declared',1,1.79564040699018526072e+09);
INSERT INTO "event" VALUES(5,'File/default/paused',1.79564040699023652072e+09,'Normal','Created','as declared',1,1.79564040699023652072e+09);
INSERT INTO "event" VALUES(6,'File/default/paused',1.79564040699026632305e+09,'Normal','Converged','as declared',1,1.79564040699026632305e+09);
INSERT INTO "event" VALUES(7,'File/default/notes',1.79564040699031829831e+09,'Normal','Created','as declared',1,1.79564040699031829831e+09);
INSERT INTO "event" VALUES(8,'File/default/notes',1.79564040699034976954e+09,'Normal','Converged','as declared',1,1.79564040699034976954e+09);
INSERT INTO "event" VALUES(9,'File/default/motd',1.79564040699040722848e+09,'Normal','Adopted','content',1,1.79564040699040722848e+09);
INSERT INTO "event" VALUES(10,'File/default/motd',1.79564040699043846131e+09,'Normal','Converged','as declared',1,1.79564040699043846131e+09);
INSERT INTO "event" VALUES(11,'File/default/page',1.7956404070170605183e+09,'Normal','Updated','content',1,1.7956404070170605183e+09);
INSERT INTO "event" VALUES(12,'File/default/old',1.79564040703616070748e+09,'Warning','Retained','its last declaration says deletionPolicy: Retain; remove it with ''p2 delete''',1,1.79564040703616070748e+09);
CREATE TABLE hold (
        source TEXT NOT NULL,
        position INTEGER NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        keys TEXT NOT NULL, -- one a line
        at REAL NOT NULL,
        PRIMARY KEY (source, position)
    ) WITHOUT ROWID
    ;
INSERT INTO "hold" VALUES('@ROOT@/state',0,'Retained','its last declaration says deletionPolicy: Retain; remove it with ''p2 delete''','File/default/old',0.0);
CREATE TABLE inventory (
        key TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        generation INTEGER NOT NULL,
        digest TEXT NOT NULL,
        handle TEXT NOT NULL,
        applied TEXT NOT NULL,
        file TEXT NOT NULL,
        dependencies TEXT NOT NULL, -- keys, one a line
        owner TEXT,
        intent TEXT,
        retain INTEGER NOT NULL,
        adopted INTEGER NOT NULL,
        kept TEXT NOT NULL
    , recovered INTEGER NOT NULL DEFAULT 0, good TEXT NOT NULL DEFAULT '', good_digest TEXT NOT NULL DEFAULT '', tried TEXT NOT NULL DEFAULT '', tried_at REAL NOT NULL DEFAULT 0, given_up TEXT NOT NULL DEFAULT '', intended TEXT NOT NULL DEFAULT '', given_up_why TEXT NOT NULL DEFAULT '', seal INTEGER NOT NULL DEFAULT 0);
INSERT INTO "inventory" VALUES('File/default/old','@ROOT@/state',1,'355b801aede3a879c95f65d3c8a5c87d','file:@ROOT@/world/old','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"old"},"spec":{"deletionPolicy":"Retain","path":"@ROOT@/world/old","content":"old"}}','@ROOT@/state/old.yaml','',NULL,NULL,1,0,'',0,'','','',0.0,'','','',935966531);
INSERT INTO "inventory" VALUES('File/default/paused','@ROOT@/state',1,'ba140d5d874669287c32d3cc58938bbc','file:@ROOT@/world/paused','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"paused"},"spec":{"path":"@ROOT@/world/paused","content":"as declared"}}','@ROOT@/state/paused.yaml','',NULL,NULL,0,0,'',0,'','','',0.0,'','','',1473777234);
INSERT INTO "inventory" VALUES('File/default/notes','@ROOT@/state',1,'1e777bc7a1edd693cb02d131ac091400','file:@ROOT@/world/notes','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"notes"},"spec":{"deletionPolicy":"Retain","path":"@ROOT@/world/notes","content":"my notes"}}','@ROOT@/state/site.yaml','',NULL,NULL,1,0,'',0,'','','',0.0,'','','',1259943562);
INSERT INTO "inventory" VALUES('File/default/motd','@ROOT@/state',1,'01e942753b65371fb8eab19aa3e8fb24','file:@ROOT@/world/motd','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"motd"},"spec":{"adopt":true,"path":"@ROOT@/world/motd","content":"ours"}}','@ROOT@/state/motd.yaml','',NULL,NULL,0,1,'@KEPT@',0,'','','',0.0,'','','',1447506033);
INSERT INTO "inventory" VALUES('File/default/page','@ROOT@/state',2,'711a20731c850ecf07a3419642a12e31','file:@ROOT@/world/page','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"page"},"spec":{"path":"@ROOT@/world/page","content":"hello again"}}','@ROOT@/state/site.yaml','',NULL,NULL,0,0,'',0,'','','',0.0,'','','',1221292277);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('installation','0ddba11f5ca1ab1e');
INSERT INTO "meta" VALUES('seal','9eab0b44375a7c48');
INSERT INTO "meta" VALUES('starts','3');
CREATE TABLE revision (
        number INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        at REAL NOT NULL,
        cause TEXT NOT NULL,
        user TEXT NOT NULL,
        command TEXT NOT NULL,
        restored INTEGER NOT NULL, -- the revision that a rollback went back to, or 0
        commit_id TEXT NOT NULL,
        dirty INTEGER, -- NULL: not known
        ending TEXT NOT NULL,
        message TEXT NOT NULL,
        seconds REAL NOT NULL,
        count INTEGER NOT NULL,
        last REAL NOT NULL -- when the last of the counted began
    );
INSERT INTO "revision" VALUES(1,'@ROOT@/state',1.79564040698046469687e+09,'edit','root','p2 apply',0,'',NULL,'converged','',1.01977979993534972891e-02,1,1.79564040698046469687e+09);
INSERT INTO "revision" VALUES(2,'@ROOT@/state',1.79564040701252436633e+09,'edit','root','p2 apply',0,'',NULL,'converged','',4.7979600003600353375e-03,1,1.79564040701252436633e+09);
INSERT INTO "revision" VALUES(3,'@ROOT@/state',1.79564040703299283982e+09,'edit','root','p2 apply',0,'',NULL,'converged','',3.51585600037651602178e-03,1,1.79564040703299283982e+09);
CREATE TABLE start (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        boot TEXT NOT NULL,
        uptime REAL NOT NULL,
        pid INTEGER NOT NULL,
        ended INTEGER NOT NULL -- in good order, as ordered, or forgiven
    );
CREATE TABLE status (key TEXT PRIMARY KEY, ready TEXT NOT NULL, body TEXT NOT NULL);
INSERT INTO "status" VALUES('File/default/paused','True','{"generation":1,"observedGeneration":1,"conditions":[["Ready","True","Converged","",1,1795640406.990229]],"drift":[],"digest":"ba140d5d874669287c32d3cc58938bbc","handle":"file:@ROOT@/world/paused","at":1795640406.990229}');
INSERT INTO "status" VALUES('File/default/notes','True','{"generation":1,"observedGeneration":1,"conditions":[["Ready","True","Converged","",1,1795640406.9903119]],"drift":[],"digest":"1e777bc7a1edd693cb02d131ac091400","handle":"file:@ROOT@/world/notes","at":1795640406.9903119}');
INSERT INTO "status" VALUES('File/default/motd','True','{"generation":1,"observedGeneration":1,"conditions":[["Ready","True","Converged","",1,1795640406.9903953]],"drift":[],"digest":"01e942753b65371fb8eab19aa3e8fb24","handle":"file:@ROOT@/world/motd","at":1795640406.9903953}');
INSERT INTO "status" VALUES('File/default/page','True','{"generation":2,"observedGeneration":2,"conditions":[["Ready","True","Converged","",2,1795640406.990135]],"drift":[],"digest":"711a20731c850ecf07a3419642a12e31","handle":"file:@ROOT@/world/page","at":1795640407.0170202}');
INSERT INTO "status" VALUES('File/default/old','True','{"generation":0,"observedGeneration":0,"conditions":[["Ready","True","Retained","its last declaration says deletionPolicy: Retain; remove it with ''p2 delete''",0,1795640406.9898436]],"drift":[],"digest":"","handle":"file:@ROOT@/world/old","at":1795640407.036118}');
CREATE TABLE suspended (key TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "suspended" VALUES('File/default/paused');
CREATE TABLE text (
        source TEXT NOT NULL,
        path TEXT NOT NULL, -- relative to the source's directory
        number INTEGER NOT NULL,
        digest BLOB, -- NULL: gone
        whole INTEGER NOT NULL, -- whether the content is kept
        PRIMARY KEY (source, path, number)
    ) WITHOUT ROWID
    ;
INSERT INTO "text" VALUES('@ROOT@/state','motd.yaml',1,X'EFAE05862D989D37C94CDC1EF07F65E9',1);
INSERT INTO "text" VALUES('@ROOT@/state','old.yaml',1,X'E6665C7AE8B6520A349904CC71548D56',1);
INSERT INTO "text" VALUES('@ROOT@/state','old.yaml',3,NULL,0);
INSERT INTO "text" VALUES('@ROOT@/state','paused.yaml',1,X'6ADAD2633EEE3DE54420ED2374E5E8B0',1);
INSERT INTO "text" VALUES('@ROOT@/state','site.yaml',1,X'B8C7AE6F1B9ADA7FC1EB01BF047B9889',1);
INSERT INTO "text" VALUES('@ROOT@/state','site.yaml',2,X'17F95F7D3ED9370F6D0629CA80327A87',1);
CREATE INDEX event_by_key ON event (key, number);
CREATE INDEX audit_by_key ON audit (key, number);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its entries are never changed'); END;
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE number = new.number)
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its entries are never replaced'); END;
CREATE TRIGGER audit_keeps_the_newest BEFORE DELETE ON audit
    WHEN old.number > (SELECT max(number) FROM audit) - 10000
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its newest 10000 entries are never removed'); END;
CREATE INDEX revision_by_source ON revision (source, number);
CREATE INDEX revision_open ON revision (ending) WHERE ending = 'open';
CREATE INDEX deed_by_key ON deed (key, number);
CREATE INDEX text_by_number ON text (number);
CREATE INDEX text_by_digest ON text (digest);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',10);
INSERT INTO "sqlite_sequence" VALUES('event',12);
COMMIT;
PRAGMA user_version = 7;
