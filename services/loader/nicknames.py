"""What people are called: short forms and other spellings of first names, as an own table.

A short form leads to the names it may stand for and to their other short forms (Bob: Robert, Rob ...); a full name
leads to its short forms and other spellings only, never to another full name that shares one (Alexander, Alexandra).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

ALTERNATIVES_MAX = 12

# Full name (other spellings behind "/"): its short forms.
_TABLE = """
abigail/abbigail: abby abbie gail
abraham: abe
albert: al bert bertie
alan/allan/allen: al
alexander: alex al sandy xander sasha
alexandra: alex lexi sandy sasha
alexis: alex lexi
alfred: al fred alf
alice: ali
allison/alison: ali allie
amanda: mandy
andrea: andi
andrew: andy drew
angela: angie
ann/anne: annie
anthony/antony: tony
antonio: tony tono
arthur: art
augustus: gus
barbara: barb babs
benjamin: ben benny benji
bernard: bernie
beverly/beverley: bev
bradley: brad
brian/bryan:
calvin: cal
cameron: cam
carl/karl:
caroline/carolyn: carrie
cassandra: cassie
catherine/katherine/kathryn/cathryn/katharine: kate katie kathy cathy kat kay kit
charles: charlie chuck chas
charlotte: lottie charlie
chester: chet
christina/kristina: chris christy tina kris
christine/kristine: chris chrissy christy tina kris
christopher/kristopher: chris topher kit
clifford: cliff
clinton: clint
concepcion: concha
curtis: curt
cynthia: cindy
daniel: dan danny
david: dave davey
deborah/debra: deb debbie
dennis: denny
dolores: lola
dominic/dominick: dom nick
donald: don donnie
donna:
dorothy: dot dottie
douglas: doug
edmund: ed eddie
eduardo: ed eddie lalo
edward: ed eddie ted ned
edwin: ed eddie
eleanor: ellie nell nora
elizabeth/elisabeth: liz beth betty betsy lizzie eliza libby liza
emily: em emmy
enrique: kike quique
eric/erik:
ernest: ernie
eugene: gene
florence: flo
frances: fran fannie
francis: frank fran
francisco: paco pancho cisco frank
franklin: frank
frederick/frederic: fred freddie rick
gabriel: gabe
gabriella: gabby
geoffrey/jeffrey: jeff geoff
george: geo
gerald: jerry gerry
gilbert: gil bert
gladys:
gregory: greg
guadalupe: lupe lupita
guillermo: memo
gwendolyn: gwen
harold: hal harry
harriet: hattie
harrison: harry
henry: hank harry hal
herbert: herb bert
howard: howie
ignacio: nacho
isaac: ike
isabel/isabelle/isabella: izzy bella
jacob: jake
jacqueline: jackie
james: jim jimmy jamie
janet: jan
janice: jan
jason: jay
jennifer: jen jenny
jeremy/jeremiah: jerry
jerome: jerry
jessica: jess jessie
jesus: chuy
joan: joanie
joanna/joanne: jo
john: johnny jack jon
jonathan/johnathan: jon jonny nathan
jose: pepe joe
joseph: joe joey
josephine: jo josie
joshua: josh
joyce: joy
judith: judy
julia/julie: jules
karen:
kelly:
kenneth: ken kenny
kimberly: kim
kristen/kristin: kris
lawrence/laurence: larry lars
leonard: leo len lenny
leroy: roy
leslie:
lillian: lily lil
lori/laurie:
louis/lewis: lou louie
louise: lou
lucille: lucy
luis: lucho
manuel: manny manolo
marc/mark:
marcus: marc mark
margaret: maggie meg peggy marge margie
maria: mary
martha: marty patty
martin: marty
matilda: tilly
matthew: matt
maurice: moe
maxwell/maximilian: max
megan/meghan: meg
melissa: mel missy
melvin: mel
michael/micheal: mike mick mickey mikey
michelle: shelly missy
mildred: millie
miguel: mike
mitchell: mitch
nancy: nan
natalie: nat
nathan/nathaniel: nate nat
nicholas/nicolas: nick nicky
nicole: nikki nicky
norman: norm
olivia: liv
oliver: ollie
oscar:
pamela: pam
patricia: pat patty tricia trish
patrick: pat paddy
peter: pete
philip/phillip: phil
priscilla: cilla
rafael/raphael: rafa
ramon: ray moncho
randall/randolph: randy
raymond: ray
rebecca/rebekah: becky becca
reginald: reg reggie
richard: rich rick dick ricky richie
robert: bob rob bobby robbie bert
roberto: bob beto
rodney: rod
roger: rog
roland: rollie
ronald: ron ronnie
rosario: chayo
rosemary: rose rosie
roseann: rose
russell: russ
ruben: ben
samantha: sam sammy
samuel: sam sammy
sandra: sandy
sara/sarah: sally sadie
sean/shawn/shaun:
sharon: shari
sheldon: shel
sidney/sydney: sid
sophia/sofia: sophie
stanley: stan
stephanie: steph
steven/stephen: steve stevie
stuart/stewart: stu
susan: sue susie suzie
suzanne/susanne: sue suzie
tamara: tammy
teresa/theresa: terry tess tessa
terrence/terence: terry
theodore: ted teddy theo
thomas: tom tommy
timothy: tim timmy
tobias: toby
tracy/tracey:
valerie: val
vanessa: nessa
veronica: ronnie
victor: vic
victoria: vicky tori
vincent: vince vinny
virginia: ginny ginger
vivian/vivien: viv
walter: walt wally
warren:
wesley: wes
wilfred: will fred
william: bill will billy willie liam
yolanda: yoli
zachary/zachery: zach zack
"""


def _alternatives(table: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    parts = (line.partition(":") for line in table.strip().splitlines())
    rows = [(before.split("/"), after.split()) for before, _, after in parts]
    for spellings, shorts in rows:
        for word in (*spellings, *shorts):
            others = found.setdefault(word, {})
            others.update((other, None) for other in spellings if other != word)
    # Other short forms come behind the full names: where there are too many, they are left out.
    for spellings, shorts in rows:
        for word in (*spellings, *shorts):
            found[word].update((other, None) for other in shorts if other != word)
    return {word: tuple(others)[:ALTERNATIVES_MAX] for word, others in found.items() if others}


ALTERNATIVES = _alternatives(_TABLE)
"""First name -> what else somebody of that name may be called."""
VARIANTS_MAX = 16


def other_first_names(name: str, firsts: Collection[str]) -> list[str]:
    """A normalised name with a first name, one of the words that stand where first names do, in another form; the
    words in order again."""
    words = name.split()
    if not 1 < len(words) <= 4:
        return []
    found = [
        " ".join(sorted([*words[:i], other, *words[i + 1 :]]))
        for i, word in enumerate(words)
        if word in firsts
        for other in ALTERNATIVES.get(word, ())
    ]
    return list(dict.fromkeys(found))[:VARIANTS_MAX]
